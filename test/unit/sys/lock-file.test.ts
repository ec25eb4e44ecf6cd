import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { acquireLock, tryExistingLock, tryLock } from '../../../src/sys/lock-file.js';
import { assertFails } from '../../support/assert-fails.js';
import { TempDir } from '../../support/temp-dir.js';

test('tryLock() keeps exclusive holders apart and lets shared ones in together', () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  const first = tryLock(path, 'shared');
  const second = tryLock(path, 'shared');
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(tryLock(path, 'exclusive'), undefined);
  first.release();
  first.release();
  assert.equal(tryLock(path, 'exclusive'), undefined, 'the second shared holder is still there');
  second.release();
  using exclusive = tryLock(path, 'exclusive');
  assert.ok(exclusive !== undefined);
  assert.equal(tryLock(path, 'shared'), undefined);
});

test('acquireLock() waits until the lock is free', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  const held = await acquireLock(path, { mode: 'exclusive' });
  let got = false;
  const waiting = acquireLock(path, { mode: 'exclusive' }).then((lock) => {
    got = true;
    return lock;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(got, false, 'two processes would work on the same thing');
  held.release();
  using lock = await waiting;
  assert.ok(lock);
});

test('acquireLock() stops waiting when it is told to', async () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  using held = await acquireLock(path, { mode: 'exclusive' });
  assert.ok(held);
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort();
  }, 30);
  await assertFails('CANCELLED', () =>
    acquireLock(path, { mode: 'shared', signal: controller.signal }),
  );
});

test('F22 tryLock() does not take a lock file that was replaced', () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  using old = tryLock(path, 'exclusive');
  assert.ok(old !== undefined);
  writeFileSync(`${dir.path}/new`, '');
  renameSync(`${dir.path}/new`, path);
  using fresh = tryLock(path, 'exclusive');
  assert.ok(fresh !== undefined, 'the lock is the one that newcomers see');
  assert.equal(tryLock(path, 'exclusive'), undefined);
});

test('tryLock() of a file that somebody takes away all the time', async () => {
  using folder = new TempDir();
  const path = join(folder.path, 'lock');
  tryLock(path, 'exclusive')?.release();
  const remover = new Worker(
    "const { unlinkSync } = require('node:fs'); const { workerData } = require('node:worker_threads');" +
      'for (;;) try { unlinkSync(workerData); } catch {}',
    { eval: true, workerData: path },
  );
  try {
    await new Promise((resolve) => remover.once('online', resolve));
    for (let round = 0; round < 3000; round++) {
      const lock = tryLock(path, 'exclusive');
      assert.ok(lock !== undefined);
      lock.release();
    }
  } finally {
    await remover.terminate();
  }
});

test('tryExistingLock() makes none', () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  assert.equal(tryExistingLock(path, 'exclusive'), undefined);
  assert.equal(existsSync(path), false);
  using held = tryLock(path, 'exclusive');
  assert.ok(held !== undefined);
  assert.equal(tryExistingLock(path, 'exclusive'), undefined);
  held.release();
  using own = tryExistingLock(path, 'exclusive');
  assert.ok(own !== undefined);
});

test('F23 a child process does not keep the lock', () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  using held = tryLock(path, 'exclusive');
  assert.ok(held !== undefined);
  const child = spawnSync('/bin/sh', ['-c', 'ls -l /proc/self/fd'], { encoding: 'utf8' });
  assert.equal(child.status, 0);
  assert.ok(!child.stdout.includes(path), 'the lock was inherited');
});

test('a lock file that its holders remove again and again still keeps them apart', async () => {
  using dir = new TempDir();
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { closeSync, openSync, unlinkSync } = require('node:fs');
    import(workerData.url).then(async ({ acquireLock }) => {
      for (let round = 0; round < 400; round += 1) {
        const lock = await acquireLock(workerData.path, { mode: 'exclusive' });
        closeSync(openSync(workerData.inside, 'wx')); // fails where another is inside
        unlinkSync(workerData.inside);
        if (round % 3 !== 0) lock.remove();
        lock.release();
      }
      parentPort.postMessage('done');
    });`;
  const url = new URL('../../../src/sys/lock-file.js', import.meta.url).href;
  const data = { url, path: `${dir.path}/lock`, inside: `${dir.path}/inside` };
  const ends = Array.from({ length: 4 }, () => {
    const worker = new Worker(code, { eval: true, workerData: data });
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  });
  assert.deepEqual(await Promise.all(ends), ['done', 'done', 'done', 'done']);
});
