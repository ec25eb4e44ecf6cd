import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import type { LayerInput } from '../../src/layer/apply-layer.js';
import { DEFAULT_LAYER_LIMITS } from '../../src/layer/limits.js';
import { createMemoryLayerSink } from '../../src/store/memory-layer.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { feedLayer, inPieces, withChanges } from '../support/feed-layer.js';
import { buildLayer, buildTar, sha256, type BuiltLayer } from '../support/tar-builder.js';

const OCI = 'application/vnd.oci.image.layer.v1.tar';
const good = buildLayer([
  { path: 'a', content: 'hello' },
  { path: 'b', content: Buffer.alloc(300_000, 'some text that compresses') },
]);

/** A layer whose blob is what somebody made of it, with the promises that belong to that blob. */
function made(blob: Buffer, from: BuiltLayer = good): BuiltLayer {
  return { ...from, blob, digest: sha256(blob), size: blob.length };
}

async function feed(layer: BuiltLayer, options: Partial<LayerInput> = {}): Promise<string[]> {
  const paths: string[] = [];
  const memory = createMemoryLayerSink({
    keep: (path) => {
      paths.push(path);
      return false;
    },
    maxKeptBytes: 0,
  });
  await feedLayer(memory.sink, layer, options);
  return paths;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}

test('applyLayer() takes a good layer, in pieces of any size', async () => {
  for (const pieceBytes of [1, 5, 1000, 1_000_000]) {
    assert.deepEqual(await feed(good, { source: inPieces(good.blob, pieceBytes) }), ['a', 'b']);
  }
});

test('applyLayer() tells how far it is', async () => {
  const seen: number[] = [];
  await feed(good, { onProgress: (bytes) => seen.push(bytes) });
  assert.equal(seen.at(-1), good.size);
});

const ended = gzipSync(good.tar);
const twoMembers = Buffer.concat([
  gzipSync(good.tar.subarray(0, 700)),
  gzipSync(good.tar.subarray(700)),
]);

each(
  'accepted',
  [
    {
      name: 'a layer that is not compressed',
      layer: buildLayer(good.tar, { compression: 'none' }),
    },
    { name: 'gzip of two members', layer: made(twoMembers) },
    {
      name: 'R35 zeros behind the gzip trailer',
      layer: made(Buffer.concat([ended, Buffer.alloc(10_000)])),
    },
    { name: 'R36 gzip announced, plain tar sent', layer: made(good.tar) },
    { name: 'R36 plain tar announced, gzip sent', layer: { ...good, mediaType: OCI } },
    {
      name: "Docker's media type",
      layer: { ...good, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' },
    },
    {
      name: 'R30 a megabyte of padding behind the archive',
      layer: buildLayer(Buffer.concat([good.tar, Buffer.alloc(1_000_000)])),
    },
  ],
  async ({ layer }) => {
    for (const pieceBytes of [ended.length, 97]) {
      const source = inPieces(layer.blob, pieceBytes);
      assert.deepEqual(await feed(layer, { source }), ['a', 'b']);
    }
  },
);

interface RefusedContent {
  readonly name: string;
  readonly layer: BuiltLayer;
  readonly code: ErrorCode;
}

const otherTar = buildTar([{ path: 'other' }]);
const REFUSED: readonly RefusedContent[] = [
  {
    name: 'R01 other bytes of the same length',
    layer: { ...good, blob: flipped(good.blob, 20) },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R01 one bit in the last byte',
    layer: { ...good, blob: flipped(good.blob, good.size - 1) },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R01 another layer altogether',
    layer: { ...good, blob: gzipSync(otherTar), size: gzipSync(otherTar).length },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R02 an early end',
    layer: { ...good, blob: good.blob.subarray(0, good.size - 10) },
    code: 'CONTENT_TRUNCATED',
  },
  {
    name: 'R02 an early end in the first block',
    layer: { ...good, blob: good.blob.subarray(0, 12) },
    code: 'CONTENT_TRUNCATED',
  },
  {
    name: 'R02 no bytes where some were promised',
    layer: { ...good, blob: Buffer.alloc(0) },
    code: 'CONTENT_TRUNCATED',
  },
  {
    name: 'R03 a byte more',
    layer: { ...good, blob: Buffer.concat([good.blob, Buffer.alloc(1)]) },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'M15 another diff id of a layer that is not compressed',
    layer: { ...buildLayer(good.tar, { compression: 'none' }), diffId: sha256(otherTar) },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'M15 another diff id',
    layer: { ...good, diffId: sha256(otherTar) },
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R33 gzip without its trailer',
    layer: made(ended.subarray(0, -8)),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R33 gzip with half a trailer',
    layer: made(ended.subarray(0, -3)),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R33 gzip with a wrong CRC',
    layer: made(flipped(ended, ended.length - 7)),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R33 gzip with a wrong length',
    layer: made(flipped(ended, ended.length - 2)),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 junk behind the gzip trailer',
    layer: made(Buffer.concat([ended, Buffer.from('junk')])),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 junk behind zeros behind the gzip trailer',
    layer: made(Buffer.concat([ended, Buffer.alloc(600), Buffer.from('junk')])),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 a second gzip behind zeros',
    layer: made(Buffer.concat([ended, Buffer.alloc(600), ended])),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'T64 a blob of no bytes',
    layer: { ...made(Buffer.alloc(0)), diffId: sha256(Buffer.alloc(0)) },
    code: 'LAYER_ARCHIVE_INVALID',
  },
  {
    name: 'T64 gzip of no bytes',
    layer: { ...made(gzipSync(Buffer.alloc(0))), diffId: sha256(Buffer.alloc(0)) },
    code: 'LAYER_ARCHIVE_INVALID',
  },
  {
    name: 'R37 xz',
    layer: made(Buffer.from('fd377a585a000004', 'hex')),
    code: 'MANIFEST_UNSUPPORTED',
  },
  { name: 'R37 bzip2', layer: made(Buffer.from('BZh91AY&SY')), code: 'MANIFEST_UNSUPPORTED' },
  {
    name: 'R37 an unknown suffix',
    layer: { ...good, mediaType: `${OCI}+foo` },
    code: 'MANIFEST_UNSUPPORTED',
  },
  {
    name: 'R37 an encrypted layer',
    layer: { ...good, mediaType: `${OCI}+gzip+encrypted` },
    code: 'MANIFEST_UNSUPPORTED',
  },
  {
    name: 'neither tar nor gzip',
    layer: made(Buffer.from('<!DOCTYPE html>'.repeat(50))),
    code: 'LAYER_ARCHIVE_INVALID',
  },
];

each('refused', REFUSED, async ({ layer, code }) => {
  for (const pieceBytes of [layer.blob.length + 1, 97]) {
    const source = inPieces(layer.blob, pieceBytes);
    await assertFails(code, () => feed(layer, { source }));
  }
});

test('control: Node alone takes junk for padding and padding for junk', () => {
  const withJunk = Buffer.concat([ended, Buffer.alloc(600), Buffer.from('junk')]);
  assert.equal(gunzipSync(withJunk).length, good.tar.length, 'this case proves nothing');
});

/** 1032 to 1, the most that deflate can do. */
const bomb = buildLayer([{ path: 'zeros', content: Buffer.alloc(20_000_000) }]);

test('R29 a bomb is refused in the middle', async () => {
  const limits = { ...DEFAULT_LAYER_LIMITS, ratioFreeBytes: 1_000_000 };
  let written = 0;
  const memory = createMemoryLayerSink({ keep: () => false, maxKeptBytes: 0 });
  const sink = withChanges(memory.sink, {
    writeFile: (chunk: Uint8Array) => {
      written += chunk.length;
    },
  });
  const error = await assertFails('LAYER_LIMIT_EXCEEDED', () => feedLayer(sink, bomb, { limits }));
  assert.match(error.message, /decompression bomb/);
  assert.ok(written <= bomb.size * limits.maxRatio, 'more was unpacked than the limit says');
});

test('R29 the absolute limit holds as well', async () => {
  const limits = { ...DEFAULT_LAYER_LIMITS, maxBytes: 1_000_000 };
  await assertFails('LAYER_LIMIT_EXCEEDED', () => feed(bomb, { limits }));
});

test('R03 an endless blob is read to its promised size and one byte', async () => {
  let sent = 0;
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      yield good.blob;
      for (;;) {
        await Promise.resolve();
        sent += 1;
        yield Buffer.alloc(1);
      }
    } finally {
      closed = true;
    }
  }
  await assertFails('CONTENT_MISMATCH', () => feed(good, { source: endless() }));
  assert.equal(sent, 1, 'bytes were read that nobody promised');
  assert.ok(closed, 'the connection was left open');
});

test('a layer that is given up closes its source', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        await Promise.resolve();
        yield good.blob.subarray(0, 100);
      }
    } finally {
      closed = true;
    }
  }
  const controller = new AbortController();
  controller.abort();
  await assertFails('CANCELLED', () => feed(good, { source: source(), signal: controller.signal }));
  assert.ok(closed, 'the connection was left open');
});

test('what a sink throws comes out, and nothing is unpacked after it', async () => {
  const memory = createMemoryLayerSink({ keep: () => false, maxKeptBytes: 0 });
  let calls = 0;
  const sink = withChanges(memory.sink, {
    beginFile: () => {
      calls += 1;
      throw new Error('the sink is full');
    },
  });
  await assert.rejects(feedLayer(sink, good), /the sink is full/);
  assert.equal(calls, 1);
});

test('R55 sha512 counts as sha256 does', async () => {
  const hash = (bytes: Buffer): string =>
    `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
  const layer = { ...good, digest: hash(good.blob), diffId: hash(good.tar) };
  assert.deepEqual(await feed(layer), ['a', 'b']);
  const wrong = { ...layer, diffId: hash(good.blob) };
  await assertFails('CONTENT_MISMATCH', () => feed(wrong));
});
