import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, crc32, gzipSync } from 'node:zlib';

import fc from 'fast-check';

import { OperationalError } from '../../src/errors/operational-error.js';
import {
  ZlibGzipDecompressor,
  type Decompressor,
  type DecompressorPlace,
} from '../../src/layer/decompressor.js';
import { IsalGzipDecompressor } from '../../src/layer/isal-gzip-decompressor.js';
import type { Output } from '../../src/layer/output-buffers.js';
import { createIsalInflate } from '../../src/sys/isal.js';
import { each } from '../support/each.js';

const text = Buffer.from('a layer is many files, and many files are much alike. '.repeat(40_000));
const noise = randomBytes(1_500_000);
const packed = gzipSync(text);
const small = gzipSync(Buffer.from('half'));

const WAYS: Readonly<Record<string, (output: Output) => Decompressor>> = {
  zlib: (output) => new ZlibGzipDecompressor(output),
  'ISA-L': (output) => byIsal(output, 'aside'),
  'ISA-L in this thread': (output) => byIsal(output, 'here'),
};

function byIsal(output: Output, place: DecompressorPlace): Decompressor {
  const inflate = createIsalInflate();
  assert.ok(inflate !== undefined, 'libisal is not installed: apt install libisal2');
  return new IsalGzipDecompressor(inflate, output, place);
}

/** A header with all that it may have. */
function fullHeader(): Buffer {
  const extra = randomBytes(300);
  const fields = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 255]),
    Buffer.from([extra.length & 255, extra.length >> 8]),
    extra,
    Buffer.from('name\0comment\0'),
  ]);
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE(crc32(fields) & 0xffff);
  return Buffer.concat([fields, sum]);
}

function changed(bytes: Buffer, at: number, to: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at < 0 ? copy.length + at : at] = to;
  return copy;
}

const members = Array.from({ length: 500 }, (_, index) => gzipSync(`file ${index}\n`));

const CASES: readonly { name: string; data: Buffer; plain?: Buffer }[] = [
  { name: 'one member', data: packed, plain: text },
  { name: 'noise', data: gzipSync(noise), plain: noise },
  { name: 'stored blocks', data: gzipSync(noise, { level: 0 }), plain: noise },
  { name: 'nothing', data: gzipSync(Buffer.alloc(0)), plain: Buffer.alloc(0) },
  {
    name: 'a long run',
    data: gzipSync(Buffer.alloc(20_000_000)),
    plain: Buffer.alloc(20_000_000),
  },
  {
    name: 'members large and small',
    data: Buffer.concat([packed, small, packed, small]),
    plain: Buffer.concat([text, Buffer.from('half'), text, Buffer.from('half')]),
  },
  {
    name: 'hundreds of members, as eStargz has them',
    data: Buffer.concat(members),
    plain: Buffer.from(members.map((_, index) => `file ${index}\n`).join('')),
  },
  {
    name: 'a header with everything in it',
    data: Buffer.concat([fullHeader(), small.subarray(10)]),
    plain: Buffer.from('half'),
  },
  { name: 'R35 zeros behind', data: Buffer.concat([packed, Buffer.alloc(3000)]), plain: text },
  { name: 'R35 junk behind', data: Buffer.concat([packed, Buffer.from('junk')]) },
  { name: 'R35 junk behind zeros', data: Buffer.concat([small, Buffer.alloc(9), small]) },
  { name: 'R33 half a magic number behind', data: Buffer.concat([small, small.subarray(0, 1)]) },
  { name: 'R33 no trailer', data: packed.subarray(0, -8) },
  { name: 'R33 a trailer without its last byte, which is 0', data: small.subarray(0, -1) },
  { name: 'R33 no end', data: packed.subarray(0, 4000) },
  { name: 'R33 a wrong CRC', data: changed(packed, -7, 0) },
  { name: 'R33 a wrong length', data: changed(packed, -2, 99) },
  {
    name: 'R33 a wrong CRC in the second member',
    data: Buffer.concat([small, changed(small, -7, 0)]),
  },
  { name: 'a wrong CRC of the header', data: Buffer.concat([changed(fullHeader(), 5, 9), small]) },
  { name: 'a reserved flag', data: changed(small, 3, 0x20) },
  { name: 'another method', data: changed(small, 2, 7) },
  { name: 'a block of no type', data: changed(small, 10, 0xff) },
  { name: 'no bytes', data: Buffer.alloc(0) },
];

for (const [way, create] of Object.entries(WAYS)) {
  each(`gzip through ${way}`, CASES, async ({ data, plain }) => {
    for (const pieceBytes of data.length < 2000 ? [1, 7, 4096] : [65_536, 300_001]) {
      const found = await unpack(create, data, pieceBytes);
      if (plain === undefined) assert.equal(found, 'LAYER_COMPRESSION_INVALID');
      else assert.ok(plain.equals(found as Buffer), 'something else came out');
    }
  });
}

test('an output that throws stops ISA-L, whatever is under way', async () => {
  const decompressor = WAYS['ISA-L']?.({
    take: () => {
      throw new Error('enough');
    },
  });
  await assert.rejects(
    async () => decompressor?.write(gzipSync(Buffer.alloc(50_000_000))),
    /enough/,
  );
  decompressor?.destroy();
});

test('memory is used again only when it is done with', async () => {
  const seen: { readonly piece: Buffer; readonly copy: Buffer }[] = [];
  const memory = new Set<ArrayBufferLike>();
  let overwritten = 0;
  const output: Output = {
    take: (piece) => {
      memory.add(piece.buffer);
      seen.push({ piece, copy: Buffer.from(piece) });
    },
    // Later pieces are done with sooner than earlier ones.
    inUse: async () => {
      const mine = seen.splice(0);
      for (let turns = 12 - (memory.size % 12); turns > 0; turns--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const { piece, copy } of mine) if (!piece.equals(copy)) overwritten += 1;
    },
  };
  const data = gzipSync(randomBytes(12_000_000), { level: 1 });
  const decompressor = WAYS['ISA-L']?.(output);
  for (let at = 0; at < data.length; at += 100_000) {
    await decompressor?.write(data.subarray(at, at + 100_000));
  }
  await decompressor?.end();
  assert.equal(overwritten, 0, 'a piece was written to while it was in use');
  assert.ok(memory.size < 12, 'nothing was used again');
});

test('zlib and ISA-L come to the same, whatever is damaged, and however it is cut', async () => {
  const anyContent = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc
      .tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 30_000 }))
      .map(([some, times]) =>
        Buffer.alloc(Math.min(some.length * times, 700_000), Buffer.from([...some, 1])),
      ),
  );
  const anyMember = fc
    .record({
      content: anyContent,
      level: fc.integer({ min: 0, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
      strategy: fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_RLE),
    })
    .map(({ content, ...how }) => gzipSync(content, how));
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyMember, { minLength: 1, maxLength: 4 }),
      fc.record({
        flip: fc.option(fc.tuple(fc.nat(), fc.nat(7)), { nil: undefined }),
        cut: fc.option(fc.nat(), { nil: undefined }),
      }),
      fc.constantFrom(3, 100, 5000, 70_000),
      async (parts, { flip, cut }, pieceBytes) => {
        const whole = Buffer.concat(parts);
        const data = cut === undefined ? whole : whole.subarray(0, cut % (whole.length + 1));
        if (flip !== undefined && data.length > 0) {
          const at = flip[0] % data.length;
          data[at] = (data[at] ?? 0) ^ (1 << flip[1]);
        }
        const [first, second] = await Promise.all(
          Object.values(WAYS).map((create) => unpack(create, data, pieceBytes)),
        );
        assert.deepEqual(second, first);
      },
    ),
    { numRuns: 50 },
  );
});

/** What comes out, or the code of the error. */
async function unpack(
  create: (output: Output) => Decompressor,
  data: Buffer,
  pieceBytes: number,
): Promise<Buffer | string> {
  const pieces: Buffer[] = [];
  const decompressor = create({ take: (piece) => pieces.push(Buffer.from(piece)) });
  try {
    for (let at = 0; at < data.length; at += pieceBytes) {
      // What was handed over is changed as soon as that is allowed.
      const piece = Buffer.from(data.subarray(at, at + pieceBytes));
      await decompressor.write(piece);
      piece.fill(0xff);
    }
    await decompressor.end();
    return Buffer.concat(pieces);
  } catch (error) {
    assert.ok(error instanceof OperationalError, String(error));
    return error.code;
  } finally {
    decompressor.destroy();
  }
}
