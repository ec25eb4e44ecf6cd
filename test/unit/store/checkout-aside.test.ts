import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { test } from 'node:test';

import type { FileNode } from '../../../src/layer/tree.js';
import { CheckoutAside } from '../../../src/store/checkout-aside.js';
import { openEmbeddedStore } from '../../../src/store/embedded/embedded-store.js';
import { findObjectThread } from '../../../src/store/embedded/object-thread.js';
import type { LinksAside } from '../../../src/store/file-contents.js';
import type { ImageStore, ImageTree } from '../../../src/store/image-store.js';
import { assertFails } from '../../support/assert-fails.js';
import { storeLayer } from '../../support/feed-layer.js';
import { listTree } from '../../support/list-tree.js';
import { storedImageOf } from '../../support/stored-image.js';
import type { TarItem } from '../../support/tar-builder.js';
import { TempDir } from '../../support/temp-dir.js';

/** As much as starts the thread. */
const LARGE = 1e9;

const FOLDERS = 300;
const FILES = 9;

/** More files than a few batches take, in more folders than one may keep open, some below others, and what is not linked between. */
function manyFiles(): TarItem[] {
  return Array.from({ length: FOLDERS }, (_, number) => {
    const folder = number % 3 === 0 ? `d${number}` : `d${number - (number % 3)}/e${number}`;
    const files = Array.from({ length: FILES }, (__, file): TarItem => {
      const path = `${folder}/file-${file}`;
      return { path, content: `${number % 50} ${file}`, mode: 0o640, mtime: 1000 + file };
    });
    return [
      { path: `${folder}/`, mode: 0o711, mtime: 5000 + number },
      ...files.slice(0, 4),
      { path: `${folder}/empty`, content: '' },
      { path: `${folder}/link`, type: 'symlink' as const, link: 'file-1' },
      ...files.slice(4),
    ];
  }).flat();
}

async function withImage(
  body: (store: ImageStore, tree: ImageTree, directory: string) => Promise<void>,
): Promise<void> {
  assert.ok(findObjectThread(LARGE) !== undefined, 'there is one processor only');
  using dir = new TempDir('/dev/shm');
  await using store = openEmbeddedStore(`${dir.path}/store`);
  const diffId = await storeLayer(store, manyFiles());
  const image = await store.addImage(storedImageOf([diffId], ['image']));
  mkdirSync(`${dir.path}/out`, { mode: 0o700 });
  await body(store, await store.openTree(image), dir.path);
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('a checkout that two threads make has everything, linked, with its times', async () => {
  await withImage(async (store, tree, directory) => {
    const before = openFiles();
    const result = await store.checkout(tree, `${directory}/out`);
    assert.equal(openFiles(), before, 'directories are still open');
    const items = manyFiles();
    const found = listTree(`${directory}/out`);
    assert.equal(found.size, items.length + 1);
    assert.deepEqual(
      [result.files, result.directories, result.copiedBytes],
      [FOLDERS * (FILES + 2), FOLDERS, 0],
    );
    for (const item of items) {
      const path = String(item.path).replace(/\/$/, '');
      const { type, mode, content, mtimeNs } = found.get(path) ?? assert.fail(path);
      if (item.type === 'symlink') continue;
      if (type === 'directory') {
        assert.deepEqual([mode, mtimeNs], ['711', BigInt(item.mtime ?? 0) * 1_000_000_000n]);
        continue;
      }
      assert.equal(content, item.content);
      // A content of which there are several files of one time is one inode, which the store has as well.
      const links = item.content === '' ? 1 : FOLDERS / 50 + 1;
      assert.equal(statSync(`${directory}/out/${path}`).nlink, links, path);
    }
  });
});

test('content that the store has lost is missed, and nothing stays open', async () => {
  await withImage(async (store, tree, directory) => {
    const before = openFiles();
    for (const folder of readdirSync(`${directory}/store/objects`).slice(0, 64)) {
      rmSync(`${directory}/store/objects/${folder}`, { recursive: true });
      mkdirSync(`${directory}/store/objects/${folder}`);
    }
    await assertFails('STORE_INVALID', () => store.checkout(tree, `${directory}/out`));
    assert.equal(openFiles(), before, 'directories are still open');
  });
});

test('what cannot be linked is copied', async () => {
  using elsewhere = new TempDir('/var/tmp');
  await withImage(async (store, tree) => {
    const { copiedBytes } = await store.checkout(tree, elsewhere.path);
    const contents = manyFiles().map(({ content = '' }) => content.length);
    assert.equal(
      copiedBytes,
      contents.reduce((sum, length) => sum + length, 0),
    );
    assert.equal(listTree(elsewhere.path).size, manyFiles().length + 1);
  });
});

/** Links that are made when the test says so. */
class SlowLinks implements LinksAside {
  readonly answers: ((made: number | Error) => void)[] = [];
  #added = 0;

  add(): boolean {
    if (this.#added === 2) return false;
    this.#added += 1;
    return true;
  }

  make(): Promise<number> {
    this.#added = 0;
    return new Promise((resolve, reject) => {
      this.answers.push((made) => {
        if (typeof made === 'number') resolve(made);
        else reject(made);
      });
    });
  }
}

const node = { kind: 'file', size: 1 } as FileNode;
const file = (name: string) => ({ node, at: { dirFd: 0, name }, frame: undefined });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what follows files waits for them, and there is an end to what is taken', async () => {
  const links = new SlowLinks();
  const said: string[] = [];
  const aside = new CheckoutAside<undefined>(links, ({ at }, isMade) => {
    said.push(`${at.name} ${isMade}`);
  });
  aside.after(() => said.push('nothing before'));
  const taken = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => aside.add(file(name)));
  assert.deepEqual(taken, [true, true, true, true, true, true, false, false]);
  aside.after(() => said.push('f is there'));
  links.answers[0]?.(2);
  await turn();
  assert.deepEqual(said, ['nothing before', 'a true', 'b true']);
  // One of the next two could not be linked: from then on the caller does it all.
  links.answers[1]?.(1);
  await turn();
  assert.equal(aside.add(file('i')), false);
  const settled = aside.settle();
  links.answers[2]?.(2);
  await settled;
  assert.deepEqual(said.slice(3), ['c true', 'd false', 'e true', 'f true', 'f is there']);
});

test('a thread that fails is heard of, and directories are closed all the same', async () => {
  const links = new SlowLinks();
  let closed = 0;
  const aside = new CheckoutAside<undefined>(links, () => undefined);
  aside.add(file('a'));
  aside.after(() => (closed += 1));
  const settled = aside.settle();
  links.answers[0]?.(new Error('the thread has ended'));
  await settled;
  assert.equal(closed, 1);
  assert.throws(() => aside.add(file('b')), /the thread has ended/);
  assert.throws(() => {
    aside.throwIfFailed();
  }, /the thread has ended/);
});
