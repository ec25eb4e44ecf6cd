import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { LayerInput } from '../../src/layer/apply-layer.js';
import { DEFAULT_LAYER_LIMITS } from '../../src/layer/limits.js';
import { createMemoryLayerSink } from '../../src/store/memory-layer.js';
import { ZstdContext } from '../../src/sys/zstd.js';
import { REFUSED_ZSTD } from '../contract/zstd-decompressor.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { feedLayer, inPieces, withChanges } from '../support/feed-layer.js';
import { buildLayer, sha256, type BuiltLayer } from '../support/tar-builder.js';
import { rawFrame, skippableFrame, zstd } from '../support/zstd-frames.js';

const good = buildLayer(
  [
    { path: 'a', content: 'hello' },
    { path: 'b', content: Buffer.alloc(300_000, 'some text that compresses') },
  ],
  { compression: 'zstd' },
);

/** A layer whose blob is what somebody made of it, with the promises that belong to that blob. */
function made(blob: Buffer): BuiltLayer {
  return { ...good, blob, digest: sha256(blob), size: blob.length };
}

async function feed(layer: BuiltLayer, options: Partial<LayerInput> = {}): Promise<string[]> {
  const paths: string[] = [];
  const keep = (path: string) => {
    paths.push(path);
    return false;
  };
  await feedLayer(createMemoryLayerSink({ keep, maxKeptBytes: 0 }).sink, layer, options);
  return paths;
}

/** The archive as zstd:chunked has it: a frame for each file, then what tells where they are, in frames to be skipped. */
const chunked = Buffer.concat([
  zstd(good.tar.subarray(0, 1024)),
  zstd(good.tar.subarray(1024, 200_000)),
  zstd(good.tar.subarray(200_000)),
  skippableFrame(zstd(Buffer.from('{"version":1,"entries":[]}'))),
  skippableFrame(Buffer.alloc(64, 'GNUlInUx')),
]);

/** The archive as estargz has it: a member for each file, and one of nothing at the end, which points to the table. */
const estargz = Buffer.concat([
  gzipSync(good.tar.subarray(0, 1024)),
  gzipSync(good.tar.subarray(1024)),
  Buffer.from(
    '1f8b08040000000000ff1a0053471600' + // a gzip header with an extra field
      `${'30'.repeat(16)}53544152475a` + // sixteen digits and STARGZ
      '010000ffff0000000000000000',
    'hex',
  ),
]);

each(
  'applyLayer() takes',
  [
    { name: 'zstd', layer: good },
    { name: 'zstd:chunked, as zstd', layer: made(chunked) },
    {
      name: 'estargz, as gzip',
      layer: { ...made(estargz), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' },
    },
    {
      name: 'R36 gzip announced, zstd sent',
      layer: { ...good, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' },
    },
    {
      name: 'R36 zstd announced, gzip sent',
      layer: made(gzipSync(good.tar)),
    },
    { name: 'R36 zstd announced, plain tar sent', layer: made(good.tar) },
    {
      name: "Docker's media type",
      layer: { ...good, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.zstd' },
    },
  ],
  async ({ layer }) => {
    for (const pieceBytes of [layer.size, 97]) {
      const source = inPieces(layer.blob, pieceBytes);
      assert.deepEqual(await feed(layer, { source }), ['a', 'b']);
    }
  },
);

// The diff id is wrong in all of them, too; it is never reached.
each('applyLayer() refuses', REFUSED_ZSTD, async ({ data, code }) => {
  await assertFails(code, () => feed(made(data)));
});

test('M15 applyLayer() refuses another diff id of a zstd layer', async () => {
  await assertFails('CONTENT_MISMATCH', () => feed({ ...good, diffId: sha256(good.blob) }));
});

test('R02 a zstd blob that ends early is blamed for that', async () => {
  const layer = { ...good, blob: good.blob.subarray(0, good.size - 10) };
  await assertFails('CONTENT_TRUNCATED', () => feed(layer));
});

/** 20 MB in some 1,000 bytes: 20,000 to 1, where deflate reaches 1032. */
const bomb = buildLayer([{ path: 'zeros', content: Buffer.alloc(20_000_000) }], {
  compression: 'zstd',
});

test('R29 a zstd bomb is refused in the middle', async () => {
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
  assert.ok(written <= 2_000_000, 'more was unpacked than the limit says');
});

test('R29 control: without the limit the bomb is unpacked whole', async () => {
  assert.deepEqual(await feed(bomb), ['zeros']);
});

/** What a program does that asks the decoder and nothing else: decodes until the input is used up. */
function naiveUnpack(data: Buffer, windowLogMax: number): number {
  using context = new ZstdContext(windowLogMax);
  const output = Buffer.allocUnsafeSlow(1_000_000);
  let bytes = 0;
  for (let position = 0; position < data.length;) {
    const { read, written } = context.step(data.subarray(position), output);
    position += read;
    bytes += written;
  }
  return bytes;
}

test('R31 R32 control: the decoder alone takes an early end, and any window it is given', () => {
  const cut = good.blob.subarray(0, -3);
  assert.ok(naiveUnpack(cut, 27) > 0, 'this case proves nothing');
  const giant = rawFrame([Buffer.from('half')], { fields: [21 << 3] });
  assert.equal(naiveUnpack(giant, 31), 4, 'this case proves nothing');
});
