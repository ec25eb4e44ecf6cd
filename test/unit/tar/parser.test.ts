import assert from 'node:assert/strict';
import { test } from 'node:test';

import { each } from '../../support/each.js';
import { readTar } from '../../support/read-tar.js';
import { buildTar, paxRecords, type TarItem } from '../../support/tar-builder.js';

const many: TarItem[] = [
  { path: './' },
  { path: 'etc/', mode: 0o1750, uid: 7, gid: 8, mtime: 1_700_000_000 },
  { path: 'etc/passwd', content: 'root', mtime: '1350244992.023960108' },
  { path: 'empty', content: '' },
  { path: 'block', content: 'x'.repeat(512) },
  { path: 'more', content: 'y'.repeat(5000) },
  { path: 'link', type: 'symlink', link: '../up' },
  { path: 'hard', type: 'hardlink', link: 'etc/passwd' },
  { path: 'dev/null', type: 'character-device', major: 1, minor: 3 },
  { path: 'dev/sda', type: 'block-device', major: 8, minor: 0 },
  { path: 'pipe', type: 'fifo' },
  { path: `${'long/'.repeat(60)}name`, content: 'pax', link: 'x' },
  { path: `${'gnu/'.repeat(60)}name`, type: 'symlink', link: 't'.repeat(300), gnuLongNames: true },
  { path: 'contiguous', type: '7', content: 'seven' },
];

test('TarParser gives every entry with all that its headers say', () => {
  const { entries } = readTar(buildTar(many));
  assert.deepEqual(
    entries.map(({ entry, content }) => [entry.type, entry.path, entry.link, content.length]),
    [
      ['directory', './', '', 0],
      ['directory', 'etc/', '', 0],
      ['file', 'etc/passwd', '', 4],
      ['file', 'empty', '', 0],
      ['file', 'block', '', 512],
      ['file', 'more', '', 5000],
      ['symlink', 'link', '../up', 0],
      ['hardlink', 'hard', 'etc/passwd', 0],
      ['character-device', 'dev/null', '', 0],
      ['block-device', 'dev/sda', '', 0],
      ['fifo', 'pipe', '', 0],
      ['file', `${'long/'.repeat(60)}name`, '', 3],
      ['symlink', `${'gnu/'.repeat(60)}name`, 't'.repeat(300), 0],
      ['file', 'contiguous', '', 5],
    ],
  );
  const [, etc, passwd, , , , , , nul] = entries.map(({ entry }) => entry);
  assert.deepEqual([etc?.mode, etc?.uid, etc?.gid, etc?.mtimeSeconds], [0o1750, 7, 8, 1.7e9]);
  assert.deepEqual([passwd?.mtimeSeconds, passwd?.mtimeNanoseconds], [1_350_244_992, 23_960_108]);
  assert.deepEqual([nul?.major, nul?.minor], [1, 3]);
});

each(
  'TarParser does not mind where pieces are cut',
  [1, 7, 511, 512, 513, 4096].map((pieceBytes) => ({ name: `every ${pieceBytes}`, pieceBytes })),
  ({ pieceBytes }) => {
    const tar = buildTar(many);
    assert.deepEqual(readTar(tar, { pieceBytes }), readTar(tar));
  },
);

test('extended attributes are bytes', () => {
  const value = Buffer.from([0, 0xff, 0xfe, 0x0a, 0x3d]);
  const { entries } = readTar(
    buildTar([{ path: 'f', xattrs: { 'user.z': value, 'security.capability': 'a=b' } }]),
  );
  assert.deepEqual(entries[0]?.entry.xattrs, [
    { name: 'security.capability', value: Buffer.from('a=b') },
    { name: 'user.z', value },
  ]);
});

test('T71 SCHILY wins over LIBARCHIVE for the same attribute, whatever their order', () => {
  const base64 = Buffer.from('other').toString('base64');
  for (const pax of [
    { 'SCHILY.xattr.user.a': 'this', 'LIBARCHIVE.xattr.user.a': base64 },
    { 'LIBARCHIVE.xattr.user.a': base64, 'SCHILY.xattr.user.a': 'this' },
  ]) {
    const { entries } = readTar(buildTar([{ path: 'f', pax }]));
    assert.deepEqual(entries[0]?.entry.xattrs, [{ name: 'user.a', value: Buffer.from('this') }]);
  }
  const alone = readTar(buildTar([{ path: 'f', pax: { 'LIBARCHIVE.xattr.user.%e4%3D': base64 } }]));
  assert.deepEqual(alone.entries[0]?.entry.xattrs, [
    { name: 'user.\xe4=', value: Buffer.from('other') },
  ]);
});

test('T44 names are byte strings', () => {
  const { entries } = readTar(
    buildTar([{ path: Buffer.from([0x66, 0xff, 0xe9]) }, { path: 'é' }, { path: 'e\u0301' }]),
  );
  assert.deepEqual(
    entries.map(({ entry }) => entry.path),
    ['f\xff\xe9', '\xc3\xa9', 'e\xcc\x81'],
  );
});

each(
  'T42 times outside are clamped',
  [
    { name: 'before the epoch', mtime: '-1.5', want: [-2, 500_000_000] },
    { name: '2^63', mtime: '9223372036854775808', want: [0x3_7fff_ffff, 0] },
    { name: '-2^63', mtime: '-9223372036854775808.5', want: [-(2 ** 31), 0] },
    { name: 'a fraction that is none', mtime: '12.nan', want: [12, 0] },
    { name: 'no number', mtime: 'nan', want: [0, 0] },
    { name: 'a fraction of 20 digits', mtime: '1.12345678987654321234', want: [1, 123_456_789] },
    { name: 'negative in base-256', mtime: -5, want: [-5, 0] },
  ],
  ({ mtime, want }) => {
    const entry = readTar(buildTar([{ path: 'f', mtime }])).entries[0]?.entry;
    assert.deepEqual([entry?.mtimeSeconds, entry?.mtimeNanoseconds], want);
  },
);

test('T36 a global header has no effect on the entries', () => {
  const global: TarItem = {
    path: 'pax_global_header',
    type: 'g',
    content: paxRecords({ comment: 'abc', mtime: '5', 'SCHILY.fflags': 'x' }),
  };
  const { entries } = readTar(buildTar([global, { path: 'a' }, global, { path: 'b' }]));
  assert.deepEqual(
    entries.map(({ entry }) => [entry.path, entry.mtimeSeconds]),
    [
      ['a', 0],
      ['b', 0],
    ],
  );
});

each(
  'T37 the prefix field',
  [
    { name: 'counts under POSIX magic', magic: 'ustar\x0000', prefix: 'pre', want: 'pre/name' },
    { name: 'is no prefix without magic', magic: '\0'.repeat(8), prefix: 'pre', want: 'name' },
    {
      name: 'holds times under GNU magic',
      magic: 'ustar  \0',
      prefix: '00000000001\x0000000000002',
      want: 'name',
    },
    {
      name: 'is a prefix under GNU magic if it holds no times',
      magic: 'ustar  \0',
      prefix: 'root/.cpanm',
      want: 'root/.cpanm/name',
    },
  ],
  ({ magic, prefix, want }) => {
    const header = (block: Buffer): void => {
      block.write(magic, 257, 'latin1');
      block.write(prefix, 345, 'latin1');
    };
    assert.equal(readTar(buildTar([{ path: 'name', header }])).entries[0]?.entry.path, want);
  },
);

test('a v7 directory is known by the slash at the end of its name', () => {
  const header = (block: Buffer): void => {
    block.fill(0, 257, 265);
  };
  const { entries } = readTar(
    buildTar([
      { path: 'dir/', type: '\0', header },
      { path: 'file', type: '\0', header, content: 'v7' },
    ]),
  );
  assert.deepEqual(
    entries.map(({ entry, content }) => [entry.type, content]),
    [
      ['directory', ''],
      ['file', 'v7'],
    ],
  );
});

test('a checksum of signed bytes is as good', () => {
  const sealed = (block: Buffer): void => {
    const sum = block.reduce(
      (total, byte, index) =>
        total + (index >= 148 && index < 156 ? 0x20 : byte > 127 ? byte - 256 : byte),
      0,
    );
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  };
  const { entries } = readTar(buildTar([{ path: Buffer.from([0xe9, 0xe8]), sealed }]));
  assert.equal(entries[0]?.entry.path, '\xe9\xe8');
});

each(
  'T61 the end',
  [0, 1, 2, 20].map((endBlocks) => ({ name: `${endBlocks} zero blocks`, endBlocks })),
  ({ endBlocks }) => {
    const read = readTar(buildTar([{ path: 'f', content: 'x' }], { endBlocks }));
    assert.deepEqual([read.entries.length, read.warnings], [1, []]);
  },
);

test('T62 what follows the end is reported and ignored', () => {
  const tar = Buffer.concat([buildTar([{ path: 'a' }]), buildTar([{ path: 'smuggled' }])]);
  const read = readTar(tar, { pieceBytes: 512 });
  assert.deepEqual(
    read.entries.map(({ entry }) => entry.path),
    ['a'],
  );
  assert.equal(read.warnings.length, 1);
});

test('an archive of nothing but zeros is an empty layer', () => {
  assert.deepEqual(readTar(Buffer.alloc(1024)), { entries: [], warnings: [] });
});
