import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { listTree } from '../support/list-tree.js';
import { storedImageOf } from '../support/stored-image.js';
import type { TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/** A file system of its own, mounted while the scope lives. */
class Mounted implements Disposable {
  readonly #dir = new TempDir(tmpdir());
  readonly path = `${this.#dir.path}/mnt`;

  constructor(type: string, options: string) {
    mkdirSync(this.path);
    const { status, stderr } = spawnSync('mount', ['-t', type, '-o', options, type, this.path]);
    assert.equal(status, 0, String(stderr));
  }

  remount(options: string): void {
    assert.equal(spawnSync('mount', ['-o', `remount,${options}`, this.path]).status, 0);
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path]);
    this.#dir[Symbol.dispose]();
  }
}

async function addImage(store: ImageStore, items: readonly TarItem[]): Promise<StoredImage> {
  const diffId = await storeLayer(store, items);
  return store.addImage(storedImageOf([diffId], ['image']));
}

function random(bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) content[at] = (at * 2_654_435_761) >>> 13;
  return content;
}

each(
  'F01 F02 a full disk is named, cleared up, and no harm once there is room',
  [
    {
      name: 'no space for one large file',
      options: 'size=4m',
      more: 'size=64m',
      items: [{ path: 'big', content: random(6_000_000) }],
    },
    {
      name: 'no space for many small files',
      options: 'size=4m',
      more: 'size=64m',
      items: Array.from({ length: 1500 }, (_, n) => ({
        path: `f${n}`,
        content: `${n}${'x'.repeat(4000)}`,
      })),
    },
    {
      name: 'no inodes',
      options: 'nr_inodes=700',
      more: 'nr_inodes=10000',
      items: Array.from({ length: 600 }, (_, n) => ({ path: `f${n}`, content: `content ${n}` })),
    },
  ],
  async ({ options, more, items }) => {
    using disk = new Mounted('tmpfs', options);
    await using store = openEmbeddedStore(`${disk.path}/store`);
    await addImage(store, [{ path: 'first', content: 'kept' }]);
    const error = await assertFails('DISK_FULL', () => storeLayer(store, items));
    assert.ok(error.message.includes(disk.path), 'the message does not say where');
    assert.deepEqual(
      readdirSync(`${disk.path}/store/tmp`),
      [],
      'the temporary files take the room',
    );
    assert.deepEqual((await store.fsck()).problems, []);
    disk.remount(more);
    await addImage(store, items);
  },
);

test('F01 a full disk while files are written out', async () => {
  using disk = new Mounted('tmpfs', 'nr_inodes=800');
  using dir = new TempDir(tmpdir());
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const image = await addImage(
    store,
    Array.from({ length: 900 }, (_, n) => ({ path: `d${n}/` })),
  );
  const tree = await store.openTree(image);
  mkdirSync(`${disk.path}/out`);
  const error = await assertFails('DISK_FULL', () => store.checkout(tree, `${disk.path}/out`));
  assert.ok(error.message.includes(disk.path));
});

each(
  'F42 a place that cannot hold a store is refused in one line',
  [
    {
      name: 'a file system without extended attributes',
      type: 'ramfs',
      options: 'mode=700',
      want: /extended attributes/,
    },
    { name: 'a read-only file system', type: 'tmpfs', options: 'ro', want: /read-only/ },
  ],
  async ({ type, options, want }) => {
    using disk = new Mounted(type, options);
    await using store = openEmbeddedStore(`${disk.path}/store`);
    const error = await assertFails('STORE_UNSUITABLE', () =>
      storeLayer(store, [{ path: 'f', content: 'x' }]),
    );
    assert.match(error.message, want);
    assert.doesNotMatch(error.message, /\n/);
    assert.equal(existsSync(`${disk.path}/store/format`), false, 'half a store was left');
    assert.deepEqual(await store.listImages(), []);
  },
);

test('F09 a checkout on another file system is a copy, with everything that a link keeps', async () => {
  using disk = new Mounted('tmpfs', 'size=64m');
  using dir = new TempDir(tmpdir());
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const image = await addImage(store, [
    { path: 'd/' },
    { path: 'd/deep/a', content: 'content', mode: 0o4711, uid: 5, gid: 6, mtime: '7.000000008' },
    { path: 'b', type: 'hardlink', link: 'd/deep/a' },
    { path: 'c', content: random(300_000), xattrs: { 'trusted.x': 'y' } },
    { path: 'empty' },
  ]);
  const tree = await store.openTree(image);
  mkdirSync(`${disk.path}/out`);
  mkdirSync(`${dir.path}/out`);
  const far = await store.checkout(tree, `${disk.path}/out`);
  const near = await store.checkout(tree, `${dir.path}/out`);
  assert.equal(far.copiedBytes, 300_007);
  assert.equal(near.copiedBytes, 0);
  assert.deepEqual([far.files, far.directories], [near.files, near.directories]);
  const copied = listTree(`${disk.path}/out`);
  const linked = listTree(`${dir.path}/out`);
  assert.deepEqual([...copied.keys()].sort(), [...linked.keys()].sort());
  for (const [path, entry] of copied) {
    assert.deepEqual({ ...entry, ino: 0n }, { ...linked.get(path), ino: 0n }, path);
  }
  assert.equal(copied.get('b')?.ino, copied.get('d/deep/a')?.ino, 'two names became two files');
  assert.notEqual(copied.get('c')?.ino, linked.get('c')?.ino);
});

test('a checkout does not inherit the group of where it is written', async () => {
  using dir = new TempDir(tmpdir());
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const image = await addImage(store, [
    { path: './' },
    { path: 'd/e/', gid: 0 },
    { path: 'd/empty' },
    { path: 'd/l', type: 'symlink', link: 'x' },
    { path: 'd/f', content: 'x' },
  ]);
  for (const [name, mode, gid] of [
    ['setgid', 0o2700, 1234],
    ['grpid', 0o700, 1234],
    ['plain', 0o700, 0],
  ] as const) {
    const out = `${dir.path}/${name}`;
    mkdirSync(out);
    chownSync(out, 0, gid);
    chmodSync(out, mode);
    await store.checkout(await store.openTree(image), out);
    for (const [path, entry] of listTree(out)) {
      const want = entry.type === 'directory' ? '755' : entry.type === 'file' ? '644' : '777';
      assert.deepEqual([entry.uid, entry.gid, entry.mode], [0, 0, want], `${name}: ${path}`);
    }
  }
});

/** More than the 65,000 links of ext4; where a file system allows more, there is nothing to renew and nothing to test. */
const LINKS = 65_010;

test('an object that has all the links it can have is renewed', async () => {
  using dir = new TempDir(tmpdir());
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const image = await addImage(store, [{ path: 'f', content: 'popular', mtime: 5 }]);
  const tree = await store.openTree(image);
  mkdirSync(`${dir.path}/out1`);
  mkdirSync(`${dir.path}/links`);
  await store.checkout(tree, `${dir.path}/out1`);
  const script = `import { linkSync } from 'node:fs';
    try { for (let n = 0; n < ${LINKS}; n += 1) linkSync(process.argv[1] + '/out1/f', process.argv[1] + '/links/' + n); }
    catch (error) { if (error.code !== 'EMLINK') throw error; }`;
  const made = spawnSync(process.execPath, ['--input-type=module', '-e', script, dir.path]);
  assert.equal(made.status, 0, String(made.stderr));
  mkdirSync(`${dir.path}/out2`);
  mkdirSync(`${dir.path}/out3`);
  await store.checkout(tree, `${dir.path}/out2`);
  await store.checkout(tree, `${dir.path}/out3`);
  const [first, second, third] = ['out1', 'out2', 'out3'].map((name) =>
    statSync(`${dir.path}/${name}/f`),
  );
  assert.equal(second?.ino, third?.ino, 'the new inode is shared again');
  assert.equal(second?.mtimeMs, first?.mtimeMs);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('attributes that the file system has no room for are not taken for a full disk', async () => {
  using dir = new TempDir(tmpdir());
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const items = [{ path: 'f', content: 'x', xattrs: { 'trusted.large': 'v'.repeat(20_000) } }];
  try {
    await addImage(store, items); // XFS and btrfs keep it
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, 'STORE_UNSUITABLE');
    assert.match((error as Error).message, /'trusted.large', 20013 bytes/);
  }
  assert.deepEqual(readdirSync(`${dir.path}/store/tmp`), []);
});

test('a place that is a file, or below one, is refused', async () => {
  using dir = new TempDir();
  writeFileSync(`${dir.path}/file`, '');
  for (const path of [`${dir.path}/file`, `${dir.path}/file/store`]) {
    await using store = openEmbeddedStore(path);
    await assertFails('SYSTEM_CALL_FAILED', () => storeLayer(store, [{ path: 'f' }]));
  }
  rmSync(`${dir.path}/file`);
});
