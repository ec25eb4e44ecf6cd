import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import timers from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { lockName } from '../../../src/containers/lock-name.js';
import { tryLock } from '../../../src/sys/lock-file.js';
import { assertFails } from '../../support/assert-fails.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

/** Looks who is at work, again and again. */
const LOOKING = `
  const { workerData, parentPort } = require('node:worker_threads');
  const pause = new Int32Array(new SharedArrayBuffer(4));
  import(workerData.url).then(({ tryLock }) => {
    parentPort.postMessage('ready');
    for (;;) {
      tryLock(workerData.path, 'shared')?.release();
      Atomics.wait(pause, 0, 0, 1);
    }
  });`;

test('lockName() is not kept from a name by who only looks whether somebody has it', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  const folder = host.paths.onDisk(host.paths.lockDir);
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/web.lock`;
  const url = new URL('../../../src/sys/lock-file.js', import.meta.url).href;
  const looking = new Worker(LOOKING, { eval: true, workerData: { url, path } });
  try {
    await once(looking, 'message');
    for (let round = 0; round < 1000; round += 1) (await lockName(host, 'web'))[Symbol.dispose]();
  } finally {
    await looking.terminate();
  }
  using held = tryLock(path, 'exclusive');
  assert.ok(held !== undefined);
  await assertFails('BUSY', () => lockName(host, 'web'));
});

test('lockName() does not wait where it will not look again', async (t) => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  (await lockName(host, 'web'))[Symbol.dispose]();
  using held = tryLock(`${host.paths.onDisk(host.paths.lockDir)}/web.lock`, 'exclusive');
  assert.ok(held !== undefined);
  const waits = t.mock.method(timers, 'setTimeout');
  syncBuiltinESMExports();
  try {
    await assertFails('BUSY', () => lockName(host, 'web'));
  } finally {
    waits.mock.restore();
    syncBuiltinESMExports();
  }
  assert.equal(waits.mock.callCount(), 4, 'five looks');
});
