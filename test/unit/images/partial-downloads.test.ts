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

import fc from 'fast-check';

import type { PartialBlob } from '../../../src/images/partial-blob.js';
import { PartialDownloads } from '../../../src/images/partial-downloads.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { sha256 } from '../../support/push-image.js';
import { TempDir } from '../../support/temp-dir.js';

const blob = Buffer.alloc(1_500_000, (await import('node:crypto')).randomBytes(70_001));
const descriptor = { digest: parseDigest(sha256(blob)), size: blob.length };
const fileName = descriptor.digest.replace(':', '-');

async function readAll(partial: PartialBlob): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of partial.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Keeps the first `bytes` of the blob, in pieces as a network brings them. */
async function keep(downloads: PartialDownloads, bytes: number): Promise<void> {
  await using partial = await downloads.open(descriptor);
  assert.ok(partial !== undefined);
  const before = await readAll(partial);
  for (let at = before.length; at < bytes; at += 65_536) {
    await partial.append(blob.subarray(at, Math.min(at + 65_536, bytes)));
  }
}

async function kept(downloads: PartialDownloads): Promise<Buffer> {
  await using partial = await downloads.open(descriptor);
  assert.ok(partial !== undefined);
  return await readAll(partial);
}

test('PartialDownloads gives back what was kept, and goes on from there', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(join(folder.path, 'state/partial'));
  assert.equal((await kept(downloads)).length, 0);
  assert.deepEqual(readdirSync(join(folder.path, 'state/partial')), [], 'nothing leaves no file');
  for (const bytes of [1, 300_000, 999_999, blob.length]) {
    await keep(downloads, bytes);
    assert.deepEqual(await kept(downloads), blob.subarray(0, bytes));
  }
  assert.equal(downloads.removeAll() > blob.length, true);
  assert.equal((await kept(downloads)).length, 0);
});

test('a file of PartialDownloads that was damaged anywhere gives a beginning of the blob, and nothing else R46', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path);
  await keep(downloads, 1_200_000);
  const path = join(folder.path, fileName);
  const whole = readFileSync(path);
  const damage = fc.record({
    kind: fc.constantFrom('cut', 'flip', 'zeros', 'longer'),
    at: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: whole.length - 1 })),
    bit: fc.integer({ min: 0, max: 7 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ kind, at, bit }) => {
      const bytes = Buffer.from(whole);
      if (kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      if (kind === 'zeros') bytes.fill(0, at);
      writeFileSync(path, kind === 'longer' ? Buffer.concat([bytes, bytes]) : bytes);
      if (kind === 'cut') truncateSync(path, at);
      const found = await kept(downloads);
      assert.ok(found.equals(blob.subarray(0, found.length)), 'other bytes than were kept');
      if (kind === 'longer') assert.equal(found.length, 1_200_000);
      // what was cut off is fetched again, and the file is whole then
      await keep(downloads, 1_200_000);
      assert.deepEqual(await kept(downloads), blob.subarray(0, 1_200_000));
    }),
    { numRuns: 40 },
  );
});

test('PartialDownloads keeps nothing of small blobs, and never more than was promised', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path);
  assert.equal(await downloads.open({ ...descriptor, size: 1000 }), undefined);
  assert.equal(await downloads.open({ ...descriptor, size: 2 ** 50 }), undefined);
  {
    await using partial = await downloads.open(descriptor);
    await partial?.append(blob);
    await partial?.append(Buffer.alloc(1));
    await partial?.append(blob);
  }
  assert.deepEqual(readdirSync(folder.path), [], 'more than was promised is kept');
});

test('a blob that is being downloaded is no other process to take, nor to remove', async () => {
  using folder = new TempDir();
  const downloads = new PartialDownloads(folder.path);
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
  const downloads = new PartialDownloads(folder.path);
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
