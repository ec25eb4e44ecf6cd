import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { DEFAULT_TAR_LIMITS } from '../../src/tar/limits.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { readTar } from '../support/read-tar.js';
import { buildTar, paxRecords, type TarItem } from '../support/tar-builder.js';

const smuggled = buildTar([{ path: 'smuggled', content: 'evil' }], { endBlocks: 0 });

/** A reader as people write it at first: no checksum, sizes from the ustar field, PAX records skipped. */
function naiveNames(tar: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at + 512 <= tar.length;) {
    const block = tar.subarray(at, at + 512);
    if (block[0] === 0) break;
    const size = Number.parseInt(block.toString('latin1', 124, 136), 8) || 0;
    const name = block.toString('latin1', 0, 100).replace(/\0.*$/s, '');
    if (!/[xgLK]/.test(block.toString('latin1', 156, 157))) names.push(name);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return names;
}

test('control: a naive reader finds what was smuggled in behind two sizes', () => {
  const tar = buildTar([
    { path: 'f', content: smuggled, claimedSize: 0, pax: { size: String(smuggled.length) } },
  ]);
  assert.ok(naiveNames(tar).includes('smuggled'), 'this case proves nothing');
});

interface FramingCase {
  readonly name: string;
  readonly tar: Buffer;
  readonly code?: ErrorCode;
}

const one = (item: TarItem): Buffer => buildTar([item, { path: 'after' }]);
const field = (start: number, bytes: Buffer | string): ((block: Buffer) => void) => {
  return (block) => {
    Buffer.from(bytes as string, 'latin1').copy(block, start);
  };
};
const whole = buildTar([{ path: 'f', content: 'x'.repeat(600) }]);

const CASES: readonly FramingCase[] = [
  {
    name: 'T32 a PAX size where the ustar size is 0 (CVE-2025-62518)',
    tar: one({
      path: 'f',
      content: smuggled,
      claimedSize: 0,
      pax: { size: String(smuggled.length) },
    }),
  },
  {
    name: 'T32 a PAX size smaller than the ustar size',
    tar: one({ path: 'f', content: smuggled, pax: { size: '0' } }),
  },
  {
    name: 'T32 a PAX size and a long-name header behind it (node-tar GHSA-vmf3-w455-68vh)',
    tar: Buffer.concat([
      buildTar([{ path: 'x', type: 'x', content: paxRecords({ size: '1024' }) }], { endBlocks: 0 }),
      one({ path: 'n'.repeat(120), gnuLongNames: true, content: 'x' }),
    ]),
  },
  {
    name: 'T31 a PAX path and a GNU long name that differ',
    tar: one({ path: 'n'.repeat(120), gnuLongNames: true, pax: { path: 'other' } }),
  },
  {
    name: 'T35 a PAX record without a length',
    tar: one({ path: 'f', rawPax: Buffer.from('path=x\n') }),
  },
  {
    name: 'T35 a PAX record longer than its header',
    tar: one({ path: 'f', rawPax: Buffer.from('99 path=x\n') }),
  },
  {
    name: 'T35 a PAX record without its newline',
    tar: one({ path: 'f', rawPax: Buffer.from('10 path=xx') }),
  },
  {
    name: 'T35 a PAX record that is shorter than it says',
    tar: one({ path: 'f', rawPax: Buffer.from('9 path=x\n\n\n') }),
  },
  {
    name: 'T35 a PAX record without a key',
    tar: one({ path: 'f', rawPax: Buffer.from('6 =xx\n') }),
  },
  {
    name: 'T35 a PAX record of negative length',
    tar: one({ path: 'f', rawPax: Buffer.from('-9 path=x\n') }),
  },
  {
    name: 'T35 a PAX record of length 0',
    tar: one({ path: 'f', rawPax: Buffer.from('0 path=x\n') }),
  },
  { name: 'T35 a NUL in a PAX path', tar: one({ path: 'f', pax: { path: 'a\0b' } }) },
  { name: 'T35 a NUL in the key of a PAX record', tar: one({ path: 'f', pax: { 'pa\0th': 'x' } }) },
  {
    name: 'T35 two PAX headers for one entry',
    tar: one({ path: 'f', type: 'x', content: paxRecords({ path: 'a' }), pax: { path: 'b' } }),
  },
  {
    name: 'T35 a PAX header for nothing',
    tar: buildTar([{ path: 'f', type: 'x', content: paxRecords({ path: 'a' }) }]),
  },
  { name: 'T35 a PAX header without content', tar: one({ path: 'f', type: 'x', content: '' }) },
  {
    name: 'T36 a global header that names all entries',
    tar: one({ path: 'g', type: 'g', content: paxRecords({ path: 'evil' }) }),
  },
  {
    name: 'T36 a global header that sizes all entries',
    tar: one({ path: 'g', type: 'g', content: paxRecords({ size: '0' }) }),
  },
  {
    name: 'T36 a global header with an attribute for all entries',
    tar: one({ path: 'g', type: 'g', content: paxRecords({ 'SCHILY.xattr.user.a': 'x' }) }),
  },
  {
    name: 'T39 a sparse file of GNU',
    tar: one({ path: 'f', type: 'S', content: 'x' }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  {
    name: 'T39 a sparse file of PAX',
    tar: one({ path: 'f', pax: { 'GNU.sparse.major': '1' } }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  {
    name: 'T40 a sparse file of 8 EiB',
    tar: one({ path: 'f', pax: { 'GNU.sparse.realsize': '9223372036854775807' } }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  {
    name: 'T41 a negative size',
    tar: one({ path: 'f', header: field(124, Buffer.alloc(12, 0xff)) }),
  },
  {
    name: 'T41 a size of 2^63',
    tar: one({ path: 'f', header: field(124, Buffer.from('800000008000000000000000', 'hex')) }),
  },
  { name: 'T41 a size of 2^53', tar: one({ path: 'f', claimedSize: 2 ** 53 }) },
  {
    name: 'T41 a PAX size of 2^64',
    tar: one({ path: 'f', pax: { size: '18446744073709551616' } }),
  },
  { name: 'T41 a PAX size with a sign', tar: one({ path: 'f', pax: { size: '-1' } }) },
  { name: 'T41 a PAX size in another base', tar: one({ path: 'f', pax: { size: '0x10' } }) },
  {
    name: 'T41 a size that is no octal number',
    tar: one({ path: 'f', header: field(124, '0000000009x\0') }),
  },
  {
    name: 'T41 a size with digits behind its end',
    tar: one({ path: 'f', header: field(124, '0000\x00001234\0') }),
  },
  {
    name: 'T41 a mode that is no number',
    tar: one({ path: 'f', header: field(100, 'rwxrwxr\0') }),
  },
  {
    name: 'T41 a negative owner',
    tar: one({ path: 'f', header: field(108, Buffer.alloc(8, 0xff)) }),
  },
  {
    name: 'T41 an owner of 2^32 - 1, which means nobody to chown',
    tar: one({ path: 'f', uid: 2 ** 32 - 1 }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  {
    name: 'T41 a group of 2^32, which would become 0',
    tar: one({ path: 'f', pax: { gid: '4294967296' } }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  { name: 'T41 a directory with a size', tar: one({ path: 'd/', claimedSize: 512 }) },
  {
    name: 'T41 a hard link with a size',
    tar: one({ path: 'h', type: 'hardlink', link: 'f', claimedSize: 512 }),
  },
  {
    name: 'T41 a symbolic link with content',
    tar: one({ path: 'l', type: 'symlink', link: 'f', content: smuggled }),
  },
  { name: 'a wrong checksum', tar: one({ path: 'f', sealed: field(0, 'g') }) },
  { name: 'no name', tar: one({ path: '' }) },
  { name: 'a long name that is empty', tar: one({ path: 'f', type: 'L', content: '\0' }) },
  {
    name: 'a regular file whose name ends in a slash',
    tar: one({ path: 'd/', type: 'file', content: 'x' }),
    code: 'LAYER_ENTRY_REFUSED',
  },
  { name: 'T60 an end inside a file', tar: whole.subarray(0, 1000) },
  { name: 'T60 an end inside a header', tar: whole.subarray(0, 300) },
  {
    name: 'T62 an entry behind one block of zeros',
    tar: Buffer.concat([Buffer.alloc(512), smuggled]),
  },
  {
    name: 'T62 junk where a header should be',
    tar: Buffer.concat([smuggled, Buffer.alloc(512, 0x41)]),
  },
  { name: 'T64 no bytes at all', tar: Buffer.alloc(0) },
  ...['M', 'V', 'N', 'D', 'X', 'A', '9', '\x7f', '\xff'].map((type): FramingCase => ({
    name: `T70 type flag 0x${type.charCodeAt(0).toString(16)}`,
    tar: one({ path: 'f', type: 'file', header: field(156, type) }),
    code: 'LAYER_ENTRY_REFUSED',
  })),
];

each('an archive is refused for', CASES, async ({ tar, code }) => {
  for (const pieceBytes of [tar.length + 1, 97]) {
    await assertFails(code ?? 'LAYER_ARCHIVE_INVALID', () => readTar(tar, { pieceBytes }));
  }
});

test('T60 an end inside the padding is the end: nothing of an entry is missing', () => {
  for (const end of [512 + 600, 512 + 700]) {
    assert.equal(readTar(whole.subarray(0, end)).entries[0]?.content.length, 600);
  }
});

test('T31 the PAX name counts for everything', () => {
  const { entries } = readTar(one({ path: 'innocent', pax: { path: 'real' } }));
  assert.equal(entries[0]?.entry.path, 'real');
});

test('T34 a name that looks like a number stays a name', () => {
  const { entries } = readTar(one({ path: 'f', pax: { path: '12345' } }));
  assert.equal(entries[0]?.entry.path, '12345');
});

test('T32 a size that only PAX can say is taken from there', async () => {
  // Nobody has 16 GiB for a test: it is enough that the reader waits for them.
  const tar = buildTar([{ path: 'f', claimedSize: 0, pax: { size: String(2 ** 34) } }]);
  const error = await assertFails('LAYER_ARCHIVE_INVALID', () => readTar(tar));
  assert.match(error.message, /ends in the middle/);
});

each(
  'limits of an archive',
  [
    {
      name: 'T65 headers',
      limit: { maxHeaders: 3 },
      items: Array.from({ length: 4 }, (_, n) => ({ path: `f${n}` })),
    },
    {
      name: 'T65 extended headers without end',
      limit: { maxHeaders: 3 },
      items: Array.from({ length: 4 }, () => ({
        path: 'g',
        type: 'g',
        content: paxRecords({ comment: 'x' }),
      })),
    },
    {
      name: 'bytes of an extended header',
      limit: { maxExtendedBytes: 100 },
      items: [{ path: 'f', pax: { comment: 'x'.repeat(101) } }],
    },
    {
      name: 'bytes of a long name',
      limit: { maxExtendedBytes: 100 },
      items: [{ path: 'f'.repeat(101), gnuLongNames: true }],
    },
    {
      name: 'records of an extended header',
      limit: { maxPaxRecords: 2 },
      items: [{ path: 'f', pax: { a: '1', b: '2', c: '3' } }],
    },
  ],
  async ({ limit, items }) => {
    const tar = buildTar(items);
    await assertFails('LAYER_LIMIT_EXCEEDED', () =>
      readTar(tar, { limits: { ...DEFAULT_TAR_LIMITS, ...limit } }),
    );
    readTar(tar);
  },
);

test('an extended header that claims gigabytes costs nothing', async () => {
  const tar = one({ path: 'f', type: 'x', claimedSize: 2 ** 32 });
  const before = process.memoryUsage().rss;
  await assertFails('LAYER_LIMIT_EXCEEDED', () => readTar(tar));
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024, 'memory was taken on its word');
});
