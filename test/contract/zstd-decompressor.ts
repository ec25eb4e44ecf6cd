import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import type { Decompressor } from '../../src/layer/decompressor.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { buildTar } from '../support/tar-builder.js';
import { rawFrame, skippableFrame, zstd } from '../support/zstd-frames.js';

/** What is tested: one way of unpacking zstd. */
export interface ZstdSubject {
  readonly name: string;
  readonly create: (output: (chunk: Buffer) => void) => Decompressor;
}

// An archive, so that nothing else is wrong with what is refused.
const text = buildTar([
  {
    path: 'text',
    content: 'a layer is many files, and many files are much alike. '.repeat(40_000),
  },
]);
const noise = randomBytes(3_000_000);
const half = Buffer.from('half');
const manyFrames = Array.from({ length: 300 }, (_, index) => Buffer.from(`file ${index}\n`));

const ACCEPTED = [
  { name: 'one frame', data: zstd(text), plain: text },
  { name: 'a frame with a checksum', data: zstd(text, '--check'), plain: text },
  // Decoders take another way through these.
  {
    name: 'a frame that says how much is in it',
    data: zstd(text.subarray(0, 5000), '--stream-size=5000'),
    plain: text.subarray(0, 5000),
  },
  { name: 'a frame without one', data: zstd(text, '--no-check'), plain: text },
  { name: 'noise, in blocks as they are', data: zstd(noise), plain: noise },
  { name: 'a frame of nothing', data: zstd(Buffer.alloc(0)), plain: Buffer.alloc(0) },
  {
    name: 'a run of one byte',
    data: zstd(Buffer.alloc(5_000_000)),
    plain: Buffer.alloc(5_000_000),
  },
  { name: 'the largest window', data: zstd(text, '--ultra', '-20', '--long=27'), plain: text },
  {
    name: 'two frames',
    data: Buffer.concat([zstd(text), zstd(noise)]),
    plain: Buffer.concat([text, noise]),
  },
  {
    name: 'skippable frames before, between and behind',
    data: Buffer.concat([
      skippableFrame(noise.subarray(0, 1000), 3),
      zstd(text),
      skippableFrame(Buffer.alloc(0)),
      skippableFrame(noise, 15),
      zstd(half),
      skippableFrame(Buffer.from('a table of contents')),
    ]),
    plain: Buffer.concat([text, half]),
  },
  {
    name: 'hundreds of small frames, as zstd:chunked has them',
    data: Buffer.concat(manyFrames.map((file) => rawFrame([file]))),
    plain: Buffer.concat(manyFrames),
  },
  {
    name: 'content sizes of one, two, four and eight bytes',
    data: Buffer.concat([
      rawFrame([half], { descriptor: 0x20, fields: [4] }),
      rawFrame([text.subarray(0, 300)], { descriptor: 0x60, fields: [44, 0] }),
      rawFrame([half], { descriptor: 0xa0, fields: [4, 0, 0, 0] }),
      rawFrame([half], { descriptor: 0xe0, fields: [4, 0, 0, 0, 0, 0, 0, 0] }),
    ]),
    plain: Buffer.concat([half, text.subarray(0, 300), half, half]),
  },
];

const checked = zstd(text, '--check');

/** What no decompressor may take. Others test what becomes of it in a layer. */
export const REFUSED_ZSTD: readonly {
  readonly name: string;
  readonly data: Buffer;
  readonly code: ErrorCode;
}[] = [
  {
    name: 'R31 a window of 2 GiB',
    data: rawFrame([half], { fields: [21 << 3] }),
    code: 'LAYER_LIMIT_EXCEEDED',
  },
  {
    name: 'R31 a window a little above the limit',
    data: rawFrame([half], { fields: [(17 << 3) | 1] }),
    code: 'LAYER_LIMIT_EXCEEDED',
  },
  {
    name: 'R31 one segment of 8 EiB',
    data: rawFrame([half], { descriptor: 0xe0, fields: [0, 0, 0, 0, 0, 0, 0, 0x7f] }),
    code: 'LAYER_LIMIT_EXCEEDED',
  },
  {
    name: 'R31 a giant window in the second frame',
    data: Buffer.concat([zstd(text), rawFrame([half], { fields: [0xff] })]),
    code: 'LAYER_LIMIT_EXCEEDED',
  },
  {
    name: 'R32 an end in the last block',
    data: checked.subarray(0, -10),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 an end in the checksum',
    data: checked.subarray(0, -1),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 an end in the header',
    data: checked.subarray(0, 5),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 an end in the second magic number',
    data: Buffer.concat([checked, checked.subarray(0, 3)]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 an end in a skippable frame',
    data: Buffer.concat([checked, skippableFrame(noise).subarray(0, 1000)]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 an end in the size of a skippable frame',
    data: Buffer.concat([checked, skippableFrame(noise).subarray(0, 6)]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R33 a wrong checksum',
    data: rawFrame([half], { descriptor: 0x04, checksum: Buffer.from('fake') }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 junk behind the last frame',
    data: Buffer.concat([checked, Buffer.from('junk')]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 zeros behind the last frame: no producer of zstd pads',
    data: Buffer.concat([checked, Buffer.alloc(512)]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R35 gzip behind the last frame',
    data: Buffer.concat([checked, Buffer.from('1f8b0800', 'hex')]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'a dictionary',
    data: rawFrame([half], { descriptor: 0x01, fields: [10 << 3, 7] }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'a reserved bit',
    data: rawFrame([half], { descriptor: 0x08 }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'a reserved block type',
    data: rawFrame([half], { type: 3 }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'a block of nonsense',
    data: rawFrame([noise.subarray(0, 5000)], { type: 2 }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'more content than the header says',
    data: rawFrame([text.subarray(0, 200)], { descriptor: 0x20, fields: [4] }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'less content than the header says',
    data: rawFrame([half], { descriptor: 0x20, fields: [200] }),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'a block larger than blocks may be',
    data: rawFrame([noise.subarray(0, 200_000)]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
];

async function unpack(
  { create }: ZstdSubject,
  data: Buffer,
  pieceBytes: number,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const decompressor = create((chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  try {
    for (let start = 0; start < data.length; start += pieceBytes) {
      await decompressor.write(data.subarray(start, start + pieceBytes));
    }
    await decompressor.end();
  } finally {
    decompressor.destroy();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Sizes that cut every field once and keep the test short: the smallest for small data only. */
const pieceSizes = (data: Buffer): readonly number[] =>
  data.length < 4000 ? [1, 3, 7, data.length] : [997, 100_000, data.length];

/** What every way of unpacking zstd does. */
export function zstdContract(subject: ZstdSubject): void {
  each(`${subject.name} unpacks`, ACCEPTED, async ({ data, plain }) => {
    for (const pieceBytes of pieceSizes(data)) {
      const { bytes, sha256 } = await unpack(subject, data, pieceBytes);
      assert.equal(bytes, plain.length);
      assert.equal(sha256, createHash('sha256').update(plain).digest('hex'));
    }
  });

  each(`${subject.name} refuses`, REFUSED_ZSTD, async ({ data, code }) => {
    for (const pieceBytes of pieceSizes(data)) {
      await assertFails(code, () => unpack(subject, data, pieceBytes));
    }
  });

  test(`${subject.name} passes on what its consumer throws, and stops`, async () => {
    let calls = 0;
    const decompressor = subject.create(() => {
      calls++;
      throw new RangeError('enough');
    });
    await assert.rejects(decompressor.write(zstd(Buffer.alloc(50_000_000))), RangeError);
    decompressor.destroy();
    assert.equal(calls, 1);
  });

  test(`${subject.name} can be destroyed at any time`, async () => {
    let calls = 0;
    const decompressor = subject.create(() => calls++);
    const writing = decompressor.write(Buffer.concat([zstd(noise), zstd(noise)]));
    decompressor.destroy();
    decompressor.destroy();
    const before = calls;
    await assert.rejects(writing);
    assert.equal(calls, before, 'something came out after the end');
  });
}
