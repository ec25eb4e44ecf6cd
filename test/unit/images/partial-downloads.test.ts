import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { crc32 } from 'node:zlib';

import fc from 'fast-check';

import type { PartialBlob } from '../../../src/images/partial-blob.js';
import { PartialDownloads } from '../../../src/images/partial-downloads.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { each } from '../../support/each.js';
import { sha256 } from '../../support/push-image.js';
import { TempDir } from '../../support/temp-dir.js';

const blob = Buffer.alloc(1_500_000, (await import('node:crypto')).randomBytes(70_001));
const descriptor = { digest: parseDigest(sha256(blob)), size: blob.length };
const fileName = descriptor.digest.replace(':', '-');

/** As if every blob came slowly. */
const AT_ONCE = { keepAfterMs: 0 };

async function readAll(partial: PartialBlob, offset = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of partial.read(offset)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Keeps what is missing of the blob from `start` to `end`, in pieces as a network brings them. */
async function keep(downloads: PartialDownloads, end: number, start = 0): Promise<void> {
  await using partial = await downloads.open(descriptor);
  assert.ok(partial !== undefined);
  for (let at = start; at < end;) {
    at += (await readAll(partial, at)).length;
    const stop = Math.min(end, partial.nextAfter(at) ?? end);
    while (at < stop) {
      const piece = blob.subarray(at, Math.min(at + 65_536, stop));
      await partial.append(piece, at);
      at += piece.length;
    }
  }
}

/** What is kept from the first byte on. */
async function kept(downloads: PartialDownloads): Promise<Buffer> {
  await using partial = await downloads.open(descriptor);
  assert.ok(partial !== undefined);
  return await readAll(partial);
}

/** All parts that are kept, by where they begin. */
async function keptParts(downloads: PartialDownloads): Promise<Map<number, Buffer>> {
  await using partial = await downloads.open(descriptor);
  assert.ok(partial !== undefined);
  const parts = new Map<number, Buffer>();
  let next: number | undefined = 0;
  while (next !== undefined) {
    const part = await readAll(partial, next);
    if (part.length > 0) parts.set(next, part);
    next = partial.nextAfter(next + part.length);
  }
  const bytes = [...parts.values()].reduce((sum, { length }) => sum + length, 0);
  assert.equal(partial.keptBytes, bytes, 'it counts what it does not give');
  return parts;
}

test('PartialDownloads gives back what was kept, and goes on from there', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(join(folder.path, 'state/partial'), AT_ONCE);
  assert.equal((await kept(downloads)).length, 0);
  assert.deepEqual(readdirSync(join(folder.path, 'state/partial')), [], 'nothing leaves no file');
  for (const bytes of [1, 300_000, 999_999, blob.length]) {
    await keep(downloads, bytes);
    assert.deepEqual(await kept(downloads), blob.subarray(0, bytes));
  }
  assert.equal(downloads.removeAll() > blob.length, true);
  assert.equal((await kept(downloads)).length, 0);
});

test('what comes of a blob at first is not kept, what comes later is, and all of it where a download broke off before', async () => {
  using folder = new TempDir();
  const path = join(folder.path, fileName);
  const patient = new PartialDownloads(folder.path);
  await keep(patient, 1_000_000);
  assert.equal(readFileSync(path).length, 0, 'what came at once was written');
  await keep(patient, 300_000);
  assert.deepEqual(await keptParts(patient), new Map([[0, blob.subarray(0, 300_000)]]));
  patient.removeAll();
  {
    await using partial = await new PartialDownloads(folder.path, { keepAfterMs: 50 }).open(
      descriptor,
    );
    await partial?.append(blob.subarray(0, 200_000), 0);
    await setTimeout(60);
    assert.equal(partial?.keptBytes, 0);
    await partial.append(blob.subarray(200_000, 700_000), 200_000);
    await partial.append(blob.subarray(700_000, 900_000), 700_000);
    assert.equal(partial.keptBytes, 700_000);
  }
  assert.deepEqual(await keptParts(patient), new Map([[200_000, blob.subarray(200_000, 900_000)]]));
  // what is missing before it may come in two goes, and joins it
  await keep(patient, 100_000);
  assert.deepEqual([...(await keptParts(patient)).keys()], [0, 200_000]);
  await keep(patient, 200_000);
  assert.deepEqual(await kept(patient), blob.subarray(0, 900_000));
});

test('a download that is cleared leaves no sign that it broke off, and the next one is patient again', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path);
  {
    await using partial = await downloads.open(descriptor);
    await partial?.append(blob.subarray(0, 100_000), 0);
    await partial?.clear();
  }
  assert.deepEqual(readdirSync(folder.path), []);
  await keep(downloads, 100_000);
  assert.deepEqual(await keptParts(downloads), new Map());
});

test('a file of PartialDownloads that was damaged anywhere gives parts of the blob, and nothing else R46', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path, AT_ONCE);
  await keep(downloads, 1_300_000, 500_000);
  await keep(downloads, 400_000);
  const path = join(folder.path, fileName);
  const whole = readFileSync(path);
  const damage = fc.record({
    kind: fc.constantFrom('cut', 'flip', 'zeros', 'longer'),
    at: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: whole.length - 1 })),
    bit: fc.integer({ min: 0, max: 7 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ kind, at, bit }) => {
      const bytes = Buffer.from(whole);
      if (kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      if (kind === 'zeros') bytes.fill(0, at);
      writeFileSync(path, kind === 'longer' ? Buffer.concat([bytes, bytes]) : bytes);
      if (kind === 'cut') truncateSync(path, at);
      const found = await keptParts(downloads);
      for (const [start, part] of found) {
        const right = blob.subarray(start, start + part.length);
        assert.ok(part.equals(right), 'other bytes than were kept');
      }
      if (kind === 'longer') assert.deepEqual([...found.keys()], [0, 500_000]);
      // what was lost is fetched again, and the file is whole then
      await keep(downloads, 1_300_000);
      assert.deepEqual(await kept(downloads), blob.subarray(0, 1_300_000));
    }),
    { numRuns: 40 },
  );
});

each(
  'a file that does not begin as one of PartialDownloads holds nothing, and says that a download broke off',
  [
    { name: 'of the format before', bytes: oldRecord(blob.subarray(0, 300_000)) },
    { name: 'empty', bytes: Buffer.alloc(0) },
    { name: 'of a later format', bytes: Buffer.from(`berth partial 3\n${'x'.repeat(1000)}`) },
  ],
  async ({ bytes }) => {
    using folder = new TempDir();
    const path = join(folder.path, fileName);
    writeFileSync(path, bytes);
    const downloads = new PartialDownloads(folder.path);
    assert.deepEqual(await keptParts(downloads), new Map());
    assert.equal(readFileSync(path).length, 0);
    await keep(downloads, 300_000);
    assert.deepEqual(await kept(downloads), blob.subarray(0, 300_000));
  },
);

test('a file of PartialDownloads is a damaged one to programs of the format before', async () => {
  using folder = new TempDir();
  await keep(new PartialDownloads(folder.path, AT_ONCE), 300_000);
  // They take the first four bytes for the length of a record, and longer ones than this for damage.
  assert.ok(readFileSync(join(folder.path, fileName)).readUInt32LE(0) > 4 * 1024 * 1024);
});

test('PartialDownloads keeps nothing of small blobs, and never more than was promised', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path, AT_ONCE);
  assert.equal(await downloads.open({ ...descriptor, size: 1000 }), undefined);
  assert.equal(await downloads.open({ ...descriptor, size: 2 ** 50 }), undefined);
  {
    await using partial = await downloads.open(descriptor);
    await partial?.append(blob, 0);
    await partial?.append(Buffer.alloc(1), blob.length);
    await partial?.append(blob, 0);
  }
  assert.deepEqual(readdirSync(folder.path), [], 'more than was promised is kept');
});

test('a blob that is being downloaded is no other process to take, nor to remove', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path, AT_ONCE);
  await keep(downloads, 500_000);
  {
    await using partial = await downloads.open(descriptor);
    assert.ok(partial !== undefined);
    assert.equal(await new PartialDownloads(folder.path).open(descriptor), undefined);
    assert.equal(new PartialDownloads(folder.path).removeAll(), 0);
    assert.equal((await readAll(partial)).length, 500_000);
  }
  assert.equal((await kept(downloads)).length, 500_000);
});

test('what nobody came back for is removed by age, by whoever downloads next', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path, AT_ONCE);
  await keep(downloads, 500_000);
  const path = join(folder.path, fileName);
  const other = { ...descriptor, digest: parseDigest(sha256(Buffer.from('other'))) };
  await (await downloads.open(other))?.[Symbol.asyncDispose]();
  assert.ok(existsSync(path));
  const old = Date.now() / 1000 - 8 * 24 * 3600;
  utimesSync(path, old, old);
  await (await downloads.open(other))?.[Symbol.asyncDispose]();
  assert.ok(!existsSync(path), 'a week later it is still there');
  writeFileSync(join(folder.path, 'README'), 'not ours');
  assert.equal(downloads.removeAll(), 0);
  assert.ok(existsSync(join(folder.path, 'README')), 'a file that is none of its own is gone');
});

test('a disk that fails ends the keeping, not the download', async () => {
  // a file where the folder should be
  using folder = new TempDir();
  writeFileSync(join(folder.path, 'file'), '');
  assert.equal(await new PartialDownloads(join(folder.path, 'file')).open(descriptor), undefined);
});

/** As programs before the file had a beginning wrote what came from the first byte on. */
function oldRecord(content: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(content.length, 0);
  header.writeUInt32LE(crc32(content), 4);
  return Buffer.concat([header, content]);
}
