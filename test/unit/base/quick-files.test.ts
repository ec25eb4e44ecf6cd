import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';

import { readFileBounded } from '../../../src/base/bounded-read.js';
import { lstat, open, whenDone } from '../../../src/base/quick-files.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

/** How often others have their turn while `body` runs. */
async function turnsDuring(body: () => Promise<void>): Promise<number> {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  try {
    await body();
  } finally {
    clearInterval(timer);
  }
  return turns;
}

async function forMs(ms: number, call: () => Promise<unknown>): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end;) await call();
}

each<{ readonly name: string; readonly call: (path: string) => Promise<unknown> }>(
  'a signal is heard, and a timer runs out, among thousands of calls',
  [
    { name: 'that look', call: lstat },
    { name: 'that fail', call: (path) => lstat(`${path}/none`).catch(() => undefined) },
    { name: 'that read', call: (path) => readFileBounded(path, { maxBytes: 10 }) },
  ],
  async ({ call }) => {
    using dir = new TempDir();
    const path = `${dir.path}/file`;
    writeFileSync(path, 'x');
    const turns = await turnsDuring(() => forMs(300, () => call(path)));
    assert.ok(turns >= 5, `others had ${turns} turns in 300 ms`);
  },
);

test('a few calls are over before anything else has its turn', async () => {
  await nextTurn();
  let isOver = false;
  const done = (async () => {
    for (let call = 0; call < 10; call += 1) await whenDone(() => call);
    isOver = true;
  })();
  for (let tick = 0; tick < 100; tick += 1) await Promise.resolve();
  assert.ok(isOver);
  await done;
});

test('others have their turn while a disk writes', async () => {
  using dir = new TempDir();
  const file = await open(`${dir.path}/file`, 'wx');
  try {
    await nextTurn();
    let isOver = false;
    const done = file.sync().then(() => (isOver = true));
    for (let tick = 0; tick < 100; tick += 1) await Promise.resolve();
    assert.ok(!isOver, 'it was synced at once');
    await done;
  } finally {
    await file.close();
  }
});
