import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { mapAtOnce } from '../../../src/base/map-at-once.js';

test('mapAtOnce() gives results in the order of the items, with no more at once than it may', async () => {
  let running = 0;
  let most = 0;
  const results = await mapAtOnce([30, 1, 20, 2, 10], 2, async (ms) => {
    most = Math.max(most, ++running);
    await delay(ms);
    running -= 1;
    return ms * 2;
  });
  assert.deepEqual(results, [60, 2, 40, 4, 20]);
  assert.equal(most, 2);
});

test('mapAtOnce() begins nothing more after a failure, and waits for what has begun', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const mapped = mapAtOnce([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    await delay(item === 0 ? 20 : 1);
    if (item === 1) throw new Error('one');
    ended.push(item);
  });
  await assert.rejects(mapped, /^Error: one$/);
  assert.deepEqual([begun, ended], [[0, 1], [0]]);
  assert.deepEqual(await mapAtOnce([], 4, () => Promise.reject(new Error('none'))), []);
});
