import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry, type Interference } from '../support/fake-registry.js';
import { answer, cutAfter, forPath, only } from '../support/misbehaviours.js';
import { naiveResume } from '../support/naive-client.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * A pull that broke off, and the next one, of another process: each Puller here is one.
 */

/** As if every blob came slowly: what comes of it is kept from its first byte on. */
const AT_ONCE = { keepAfterMs: 0 };

const content = randomBytes(3_000_000);
const layer = gzipSync(buildTar([{ path: 'file', content }]), { level: 0 });
const forLayer = forPath(sha256(layer));

async function serve(blob: Uint8Array = layer): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: blob }],
  });
  return registry;
}

/** Answers the first request of a try with so many bytes, and hangs up on all others. */
function oneCut(bytes: number): Interference {
  let left = 1;
  return only(forLayer, (request, response) => {
    if (left-- > 0) return cutAfter(layer, bytes)(request, response);
    response.socket?.destroy();
    return true;
  });
}

/** A pull that ends after some 2 MB. */
async function breakOff(registry: FakeRegistry, puller: Puller): Promise<void> {
  let broken = true;
  const cut = oneCut(2_000_000);
  registry.interfere((request, response) => broken && cut(request, response));
  await assertFails('REGISTRY_TEMPORARY', () => puller.pull(`${registry.host}/etcd:1`));
  broken = false;
  assert.deepEqual(await puller.store.listImages(), [], 'a part counts as an image');
  registry.seen.length = 0;
}

const ranges = (registry: FakeRegistry): (string | undefined)[] =>
  registry.seen
    .filter(({ url }) => url.includes(sha256(layer)))
    .map(({ headers }) => headers.range);

function partialFile(puller: Puller): string {
  const folder = join(puller.folder.path, 'partial');
  const [name = '', ...others] = readdirSync(folder);
  assert.deepEqual(others, []);
  return join(folder, name);
}

test('R42 F48 the next pull goes on where the last one broke off, and leaves nothing behind', async () => {
  await using registry = await serve();
  await using first = new Puller(AT_ONCE);
  await breakOff(registry, first);
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  const [at = 0] = second.resumedAt;
  assert.ok(at > 1_800_000, `${at} bytes were kept of 2,000,000`);
  assert.deepEqual(ranges(registry), [`bytes=${at}-${layer.length - 1}`]);
  assert.deepEqual(readdirSync(join(first.folder.path, 'partial')), []);
});

each(
  'R43 R45 a registry that does not give the part that is asked for is asked for all of it, once',
  [
    { name: '200', unwilling: answer(200, {}, layer), requests: 1 },
    { name: '416', unwilling: answer(416, { 'content-range': `bytes */${layer.length}` }) },
    {
      name: 'another part',
      unwilling: answer(
        206,
        { 'content-range': `bytes 5-${layer.length - 1}/${layer.length}` },
        layer.subarray(5),
      ),
    },
    { name: 'a part of no name', unwilling: answer(206, {}, layer.subarray(9)) },
    {
      name: 'parts',
      unwilling: answer(206, { 'content-type': 'multipart/byteranges; boundary=x' }, '--x\r\n'),
    },
  ],
  async ({
    unwilling,
    requests = 2,
  }: {
    unwilling: Interference;
    requests?: number;
    name: string;
  }) => {
    await using registry = await serve();
    await using first = new Puller(AT_ONCE);
    await breakOff(registry, first);
    registry.interfere(
      only(
        ({ headers, url }) => headers.range !== undefined && url?.includes('/blobs/') === true,
        unwilling,
      ),
    );
    await using second = new Puller({ after: first });
    const image = await second.pull(`${registry.host}/etcd:1`);
    assert.equal(image.contentBytes, content.length);
    assert.equal(ranges(registry).length, requests);
    assert.deepEqual(second.warnings, []);
  },
);

test('R45 a blob that had come whole is not asked for again', async () => {
  await using registry = await serve();
  await using first = new Puller(AT_ONCE);
  await breakOff(registry, first);
  const path = partialFile(first);
  const rest = layer.subarray(2_000_000);
  writeFileSync(path, Buffer.concat([kept(layer.subarray(0, 2_000_000)), record(rest, 2_000_000)]));
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  assert.deepEqual(ranges(registry), []);
});

each(
  'R46 what was kept and is not right is thrown away, and fetched anew once',
  [
    // A checksum is no proof: whoever can write the file can write that, too.
    {
      name: 'other bytes with a right checksum, and what came first is missing',
      damage: () => kept(randomBytes(1_500_000), 300_000),
    },
    { name: 'other bytes with a right checksum', damage: () => kept(randomBytes(1_500_000)) },
    {
      name: 'one bit, with a right checksum',
      damage: () => {
        const begin = Buffer.from(layer.subarray(0, 1_500_000));
        begin[1_000_000] = (begin[1_000_000] ?? 0) ^ 1;
        return kept(begin);
      },
    },
  ],
  async ({ damage }) => {
    await using registry = await serve();
    await using first = new Puller(AT_ONCE);
    await breakOff(registry, first);
    writeFileSync(partialFile(first), damage());
    await using second = new Puller({ after: first });
    const image = await second.pull(`${registry.host}/etcd:1`);
    assert.equal(image.contentBytes, content.length);
    assert.deepEqual(second.warnings, [
      'what was left of an earlier download is of no use, fetching it whole',
    ]);
    assert.equal(ranges(registry).at(-1), undefined, 'it was not fetched from the beginning');
    assert.deepEqual(readdirSync(join(first.folder.path, 'partial')), []);
  },
);

test('R46 a bit that flipped on the disk costs only the part that it is in', async () => {
  await using registry = await serve();
  await using first = new Puller(AT_ONCE);
  await breakOff(registry, first);
  const path = partialFile(first);
  const bytes = readFileSync(path);
  bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  const [at = 0] = second.resumedAt;
  const [damaged, rest] = ranges(registry).map((range) => Number(range?.match(/\d+/)?.[0]));
  assert.ok(at > 1_200_000 && at < 2_000_000, `${at} bytes were there`);
  assert.ok(damaged !== undefined && damaged > 400_000 && damaged < 1_000_000, String(damaged));
  assert.ok(rest !== undefined && rest > 1_800_000, `asked for more from ${rest} on`);
  assert.equal(ranges(registry).length, 2);
  assert.deepEqual(second.warnings, []);
});

/** What a pull leaves that broke off after two million bytes, of which the first million had come too early to be kept. */
function leaveSecondMillion(puller: Puller): void {
  const folder = join(puller.folder.path, 'partial');
  mkdirSync(folder);
  const bytes = layer.subarray(1_000_000, 2_000_000);
  writeFileSync(join(folder, sha256(layer).replace(':', '-')), kept(bytes, 1_000_000));
}

each(
  'R42 R43 what came too early to be kept is fetched again, and what follows it is not',
  [
    { name: 'from a registry that gives parts', whole: 0 },
    { name: 'from one that always gives everything', whole: Infinity },
  ],
  async ({ whole }) => {
    await using registry = await serve();
    registry.interfere(only(forLayer, answer(200, {}, layer), whole));
    await using puller = new Puller();
    leaveSecondMillion(puller);
    registry.seen.length = 0;
    const progress: number[] = [];
    const image = await puller.pull(`${registry.host}/etcd:1`, {
      onProgress: ({ bytes, phase }) => progress.push(phase === 'done' ? Infinity : bytes),
    });
    assert.equal(image.contentBytes, content.length);
    assert.deepEqual(puller.resumedAt, [1_000_000]);
    assert.deepEqual(ranges(registry), [undefined, `bytes=2000000-${layer.length - 1}`]);
    assert.deepEqual(puller.warnings, []);
    const sorted = progress.toSorted((one, other) => one - other);
    assert.deepEqual(progress, sorted, 'the progress goes backwards');
    assert.equal(progress.at(-2), layer.length);
    assert.deepEqual(readdirSync(join(puller.folder.path, 'partial')), []);
  },
);

test('R42 a pull that breaks off in what came too early for the one before loses nothing of it', async () => {
  await using registry = await serve();
  await using first = new Puller();
  leaveSecondMillion(first);
  let broken = true;
  const cut = oneCut(400_000);
  registry.interfere((request, response) => broken && cut(request, response));
  const failure = await assertFails('REGISTRY_TEMPORARY', () =>
    first.pull(`${registry.host}/etcd:1`),
  );
  assert.match(failure.hint ?? '', /^1\.\d MB of what came are kept: the same command goes on/);
  broken = false;
  registry.seen.length = 0;
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  const [there = 0] = second.resumedAt;
  const again = there - 1_000_000;
  assert.ok(again > 200_000, `${again} bytes were kept of 400,000`);
  assert.deepEqual(
    ranges(registry),
    [again, 2_000_000].map((at) => `bytes=${at}-${layer.length - 1}`),
  );
});

test('what comes of a pull that breaks off at once is not kept, and not said to be', async () => {
  await using registry = await serve();
  await using first = new Puller();
  let broken = true;
  const cut = oneCut(2_000_000);
  registry.interfere((request, response) => broken && cut(request, response));
  const failure = await assertFails('REGISTRY_TEMPORARY', () =>
    first.pull(`${registry.host}/etcd:1`),
  );
  assert.equal(failure.hint, undefined);
  assert.equal(readFileSync(partialFile(first)).length, 0);
  broken = false;
  registry.seen.length = 0;
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  assert.deepEqual(second.resumedAt, []);
  assert.deepEqual(ranges(registry), [undefined]);
  assert.deepEqual(readdirSync(join(first.folder.path, 'partial')), []);
});

each(
  'R46 control: a client that goes on behind what it kept',
  [
    { name: 'takes a bit that flipped on the disk', flip: 1 },
    { name: 'is right where none did', flip: 0 },
  ],
  async ({ flip }) => {
    await using registry = await serve();
    registry.interfere(only(forLayer, cutAfter(layer, 2_000_000), 1));
    using folder = new TempDir();
    const path = join(folder.path, 'blob');
    const url = `${registry.origin}/v2/etcd/blobs/${sha256(layer)}`;
    assert.equal(await naiveResume(url, path), false, 'it was not cut');
    const kept = readFileSync(path);
    assert.ok(kept.length > 1_000_000, 'too little was kept: this case proves nothing');
    kept[1_000_000] = (kept[1_000_000] ?? 0) ^ flip;
    writeFileSync(path, kept);
    assert.equal(await naiveResume(url, path), true);
    const put = readFileSync(path);
    assert.equal(put.length, layer.length, 'its size would give it away');
    assert.equal(sha256(put) === sha256(layer), flip === 0);
  },
);

test('R01 wrong bytes are not kept: the pull after them begins anew', async () => {
  await using registry = await serve();
  await using first = new Puller();
  registry.interfere(only(forLayer, answer(200, {}, randomBytes(layer.length)), 1));
  await assertFails('CONTENT_MISMATCH', () => first.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(readdirSync(join(first.folder.path, 'partial')), [], 'wrong bytes were kept');
  await using second = new Puller({ after: first });
  await second.pull(`${registry.host}/etcd:1`);
  assert.deepEqual(second.resumedAt, []);
});

test('R03 an endless blob does not fill the disk with what is kept of it', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  registry.interfere(
    only(forLayer, answer(200, {}, Buffer.concat([layer, Buffer.alloc(1_000_000)]))),
  );
  await assertFails('CONTENT_MISMATCH', () => puller.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(readdirSync(join(puller.folder.path, 'partial')), []);
});

test('F48 pulls of one process each 64 KiB come to the end of a blob, with few bytes twice', async () => {
  const short = gzipSync(buildTar([{ path: 'file', content: randomBytes(1_200_000) }]), {
    level: 0,
  });
  await using registry = await serve(short);
  let sent = 0;
  registry.interfere(
    only(forPath(sha256(short)), (request, response) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      // Each process gets one answer: a second one is hung up on.
      if (asked++ > 0) {
        response.socket?.destroy();
        return true;
      }
      sent += Math.min(65_536, short.length - start);
      return cutAfter(short, 65_536)(request, response);
    }),
  );
  let asked = 0;
  await using first = new Puller();
  let processes = 0;
  for (let isDone = false; !isDone; processes++) {
    assert.ok(processes < 60, 'it does not come to an end');
    asked = 0;
    await using next = new Puller({ after: first });
    isDone = await next.pull(`${registry.host}/etcd:1`).then(
      () => true,
      () => false,
    );
  }
  assert.ok(sent <= short.length * 1.1, `${sent} of ${short.length} in ${processes} pulls`);
});

test('a folder for what is kept that leads elsewhere is not followed', async () => {
  await using registry = await serve();
  await using first = new Puller();
  const target = join(first.folder.path, 'target');
  const folder = join(first.folder.path, 'partial');
  mkdirSync(folder);
  writeFileSync(target, 'untouched');
  const { symlinkSync } = await import('node:fs');
  symlinkSync(target, join(folder, sha256(layer).replace(':', '-')));
  await first.pull(`${registry.host}/etcd:1`);
  assert.equal(readFileSync(target, 'utf8'), 'untouched', 'a file elsewhere was written');
});

/** A file of what is kept, with one record. */
function kept(bytes: Uint8Array, offset = 0): Buffer {
  return Buffer.concat([Buffer.from('berth partial 2\n'), record(bytes, offset)]);
}

function record(bytes: Uint8Array, offset: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32LE(offset, 0);
  header.writeUInt32LE(bytes.length, 8);
  header.writeUInt32LE(crc32(bytes), 12);
  header.writeUInt32LE(crc32(header.subarray(0, 16)), 16);
  return Buffer.concat([header, bytes]);
}
