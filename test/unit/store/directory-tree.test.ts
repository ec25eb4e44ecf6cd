import assert from 'node:assert/strict';
import {
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';

import type { FileNode } from '../../../src/layer/tree.js';
import { openDirectoryTree } from '../../../src/store/directory-tree.js';
import { KnownDigests } from '../../../src/store/known-digests.js';
import { assertFails } from '../../support/assert-fails.js';
import { sha256 } from '../../support/tar-builder.js';
import { TempDir } from '../../support/temp-dir.js';

test('openDirectoryTree() shows a directory as the tree of an image', async () => {
  using dir = new TempDir();
  mkdirSync(`${dir.path}/root/etc`, { recursive: true });
  const root = `${dir.path}/root`;
  writeFileSync(`${root}/etc/passwd`, 'root:x', { mode: 0o640 });
  linkSync(`${root}/etc/passwd`, `${root}/etc/passwd-`);
  symlinkSync(`${dir.path}/secret`, `${root}/etc/shadow`);
  writeFileSync(Buffer.from(`${root}/f\xff`, 'latin1'), '');
  writeFileSync(`${dir.path}/secret`, 'host secret');
  const server = createServer().listen(`${root}/socket`);
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    using tree = openDirectoryTree(root);
    assert.deepEqual([...tree.root.entries.keys()].sort(), ['etc', 'f\xff']);
    const etc = tree.root.entries.get('etc');
    assert.ok(etc?.kind === 'directory');
    const passwd = etc.entries.get('passwd');
    assert.ok(passwd?.kind === 'file');
    assert.equal(etc.entries.get('passwd-'), passwd, 'two names of one file are one node');
    assert.deepEqual([passwd.size, passwd.meta.mode], [6, 0o640]);
    assert.equal(`sha256:${passwd.contentSha256}`, sha256(Buffer.from('root:x')));
    assert.equal((await tree.readFile(passwd, { maxBytes: 6 })).toString(), 'root:x');
    await assertFails('LIMIT_EXCEEDED', () => tree.readFile(passwd, { maxBytes: 5 }));
    const shadow = etc.entries.get('shadow');
    assert.ok(shadow?.kind === 'symlink', 'a link is a link, not what it leads to on the host');
    assert.equal(shadow.target, `${dir.path}/secret`);
  } finally {
    server.close();
  }
});

test('P14 openDirectoryTree() does not read through a link that took the place of a file', async () => {
  using dir = new TempDir();
  writeFileSync(`${dir.path}/secret`, 'host secret');
  mkdirSync(`${dir.path}/root`);
  writeFileSync(`${dir.path}/root/file`, 'x');
  using tree = openDirectoryTree(`${dir.path}/root`);
  const file = tree.root.entries.get('file') as FileNode;
  symlinkSync(`${dir.path}/secret`, `${dir.path}/root/new`);
  renameSync(`${dir.path}/root/new`, `${dir.path}/root/file`);
  await assertFails('SYSTEM_CALL_FAILED', () => tree.readFile(file, { maxBytes: 100 }));
});

test('openDirectoryTree() names a directory that is not there', async () => {
  const error = await assertFails('SYSTEM_CALL_FAILED', () => openDirectoryTree('/no/such/root'));
  assert.match(error.message, /'\/no\/such\/root'/);
});

test('a file that the disk cannot give is like no other where that is asked for, and an error elsewhere', async () => {
  // Reading the memory of a process at address 0 fails as reading a bad disk does: EIO.
  const content = (options: { readonly toleratesBadDisk?: boolean }): string => {
    using tree = openDirectoryTree(`/proc/${process.pid}`, options);
    const file = tree.root.entries.get('mem');
    assert.equal(file?.kind, 'file');
    return file.contentSha256;
  };
  assert.equal(content({ toleratesBadDisk: true }), 'unreadable');
  const error = await assertFails('SYSTEM_CALL_FAILED', () => content({}));
  assert.match((error.cause as Error).message, /^EIO/);
});

test('openDirectoryTree() reads a file of several names once for all directories that have it', () => {
  using dir = new TempDir();
  for (const name of ['one', 'two']) mkdirSync(`${dir.path}/${name}`);
  writeFileSync(`${dir.path}/one/shared`, 'first');
  linkSync(`${dir.path}/one/shared`, `${dir.path}/two/shared`);
  writeFileSync(`${dir.path}/one/own`, 'own');
  const added: string[] = [];
  class Watched extends KnownDigests {
    override add(stat: BigIntStats, sha256: string): void {
      added.push(sha256);
      super.add(stat, sha256);
    }
  }
  const known = new Watched();
  const digestOf = (name: string, file: string): string => {
    using tree = openDirectoryTree(`${dir.path}/${name}`, { known });
    return `sha256:${(tree.root.entries.get(file) as FileNode).contentSha256}`;
  };
  for (const name of ['one', 'two'])
    assert.equal(digestOf(name, 'shared'), sha256(Buffer.from('first')));
  assert.equal(digestOf('one', 'own'), sha256(Buffer.from('own')));
  assert.equal(added.length, 1, 'it was read again, or what has one name is kept');
  const { mtime } = statSync(`${dir.path}/one/shared`);
  writeFileSync(`${dir.path}/one/shared`, 'other');
  utimesSync(`${dir.path}/one/shared`, mtime, mtime);
  for (const name of ['one', 'two'])
    assert.equal(digestOf(name, 'shared'), sha256(Buffer.from('other')), 'it was changed since');
});
