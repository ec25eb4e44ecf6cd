import assert from 'node:assert/strict';
import { test } from 'node:test';

import { extract, type Header } from 'tar-stream';

import { buildTar, type TarItem } from '../../support/tar-builder.js';

async function readWithTarStream(tar: Buffer): Promise<{ header: Header; content: string }[]> {
  const found: { header: Header; content: string }[] = [];
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found.push({ header: entry.header, content: Buffer.concat(chunks).toString() });
  }
  return found;
}

test('buildTar() builds archives that another reader understands', async () => {
  const long = `${'d'.repeat(120)}/file`;
  const items: TarItem[] = [
    { path: 'etc/', mode: 0o750, uid: 1, gid: 2, mtime: 1_700_000_000 },
    { path: 'etc/passwd', content: 'root:x:0:0' },
    { path: 'etc/link', type: 'symlink', link: '../target' },
    { path: long, content: 'pax', uid: 5_000_000_000 },
    { path: `gnu${long}`, content: 'gnu', gnuLongNames: true },
    { path: 'null', type: 'character-device', major: 1, minor: 3 },
  ];
  const found = await readWithTarStream(buildTar(items));
  assert.deepEqual(
    found.map(({ header, content }) => [header.name, header.type, header.mode, content]),
    [
      ['etc/', 'directory', 0o750, ''],
      ['etc/passwd', 'file', 0o644, 'root:x:0:0'],
      ['etc/link', 'symlink', 0o644, ''],
      [long, 'file', 0o644, 'pax'],
      [`gnu${long}`, 'file', 0o644, 'gnu'],
      ['null', 'character-device', 0o644, ''],
    ],
  );
  assert.equal(found[0]?.header.mtime.getTime(), 1_700_000_000_000);
  assert.equal(found[3]?.header.uid, 5_000_000_000, 'base-256 numbers');
  assert.equal(found[2]?.header.linkname, '../target');
  assert.deepEqual([found[5]?.header.devmajor, found[5]?.header.devminor], [1, 3]);
});
