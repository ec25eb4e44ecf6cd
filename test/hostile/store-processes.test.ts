import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { tryLock } from '../../src/sys/lock-file.js';
import { parseDigest } from '../../src/oci/digest.js';
import { storeLayer } from '../support/feed-layer.js';
import { HELD_LAYER } from '../support/held-layer.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';

const HOLDER = fileURLToPath(new URL('../support/hold-layer.js', import.meta.url));

async function holder(store: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [HOLDER, store], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('F12 what a killed process left is removed by the next writer, what a living one writes is not', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  {
    await using store = openEmbeddedStore(path);
    await storeLayer(store, [{ path: 'first', content: 'x' }]);
  }
  const dead = await holder(path);
  const alive = await holder(path);
  try {
    assert.equal(readdirSync(`${path}/tmp`).length, 4, 'two folders and their locks');
    await killed(dead);
    await using store = openEmbeddedStore(path);
    await storeLayer(store, [{ path: 'second', content: 'y' }]);
    assert.equal(readdirSync(`${path}/tmp`).length, 2, 'one folder and its lock');
    assert.deepEqual((await store.fsck()).problems, []);
  } finally {
    await killed(alive);
  }
  await using store = openEmbeddedStore(path);
  await storeLayer(store, [{ path: 'third', content: 'z' }]);
  assert.deepEqual(readdirSync(`${path}/tmp`), []);
});

test('F19 pruning waits for whoever takes something in', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  await using taker = openEmbeddedStore(path);
  const diffId = await storeLayer(taker, [{ path: 'f', content: 'not yet part of an image' }]);
  await using pruner = openEmbeddedStore(path);
  let pruned = false;
  const pruning = pruner.prune({ keep: new Set() }).then((result) => {
    pruned = true;
    return result;
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(pruned, false, 'a layer is removed between its arrival and its image');
  const image = await taker.addImage(storedImageOf([diffId], ['image']));
  await taker[Symbol.asyncDispose]();
  assert.deepEqual(await pruning, { images: 0, layers: 0, objects: 0, freedBytes: 0 });
  mkdirSync(`${dir.path}/out`);
  await pruner.checkout(await pruner.openTree(image), `${dir.path}/out`);
});

test('F12 a writer killed at any moment leaves a sound store, and the next one finishes', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  const diffId = parseDigest(HELD_LAYER.diffId);
  for (let delayMs = 0; delayMs < 60; delayMs += 4) {
    const child = spawn(process.execPath, [HOLDER, path, 'commit'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await killed(child);
    await using store = openEmbeddedStore(path);
    const { problems } = await store.fsck();
    assert.deepEqual(problems, [], `killed after ${delayMs} ms`);
  }
  await using store = openEmbeddedStore(path);
  await storeLayer(store, HELD_LAYER);
  await store.addImage(storedImageOf([diffId], ['image']));
  assert.deepEqual((await store.fsck()).problems, []);
  assert.deepEqual(readdirSync(`${path}/tmp`), [], 'something of a killed writer is left');
});

test('F21 F22 the lock of a killed process is free at once, and its file stays', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  const child = await holder(path);
  assert.equal(tryLock(`${path}/lock`, 'exclusive'), undefined);
  await killed(child);
  using lock = tryLock(`${path}/lock`, 'exclusive');
  assert.ok(lock !== undefined);
  assert.ok(existsSync(`${path}/lock`));
});

test('reading what is there waits for nobody', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  {
    await using store = openEmbeddedStore(path);
    const diffId = await storeLayer(store, [{ path: 'f', content: 'x' }]);
    await store.addImage(storedImageOf([diffId], ['image']));
  }
  using lock = tryLock(`${path}/lock`, 'exclusive');
  assert.ok(lock !== undefined);
  await using store = openEmbeddedStore(path);
  assert.equal((await store.listImages()).length, 1);
  assert.ok(await store.findImage('image'));
});

test('F18 layers come in side by side, in one process and with the same content', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  await using store = openEmbeddedStore(path);
  await using other = openEmbeddedStore(path);
  const items = (name: string): { path: string; content: string }[] =>
    Array.from({ length: 50 }, (_, n) => ({ path: `${name}${n}`, content: `shared ${n}` }));
  const diffIds = await Promise.all([
    storeLayer(store, items('a')),
    storeLayer(store, items('b')),
    storeLayer(other, items('c')),
    storeLayer(other, items('a')),
    store.hasLayer(await storeLayer(other, items('d'))),
  ]);
  const layers = diffIds.slice(0, 4).filter((id) => typeof id === 'string');
  await store.addImage(storedImageOf([...new Set(layers)], ['image']));
  assert.equal((await store.fsck()).checkedObjects, 50, 'the same file is kept once');
  await store[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  using lock = tryLock(`${path}/lock`, 'exclusive');
  assert.ok(lock !== undefined, 'a lock was forgotten');
});
