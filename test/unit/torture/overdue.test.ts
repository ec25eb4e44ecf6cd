import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { TempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { TortureReport } from '../../torture/report.js';
import { supervise } from '../../torture/supervise.js';

test('a run that does not end in its time is told as one, and nothing of it goes on', async () => {
  using folder = new TempDir();
  const pid = join(folder.path, 'pid');
  const run = await supervise(['sh', '-c', `sleep 1000 & echo $! >${pid}; wait`], {
    roots: [folder.path],
    limitMs: 2500,
  });
  assert.equal(run.fired, 'overdue');
  assert.match(run.stderr, /did not end within 2500 ms/);
  const process = `/proc/${readFileSync(pid, 'utf8').trim()}/stat`;
  await waitUntil('the end of the sleep', () => {
    const state = existsSync(process) ? readFileSync(process, 'utf8').split(') ')[1]?.[0] : 'gone';
    return state === 'gone' || state === 'Z' || state === 'X';
  });
});

test('a run that was held and does not end in its time is told as one, too', async () => {
  using folder = new TempDir();
  let held = 0;
  const run = await supervise(['sh', '-c', `echo x >${folder.path}/x; sleep 1000`], {
    roots: [folder.path],
    limitMs: 2500,
    hold: {
      at: 1,
      meanwhile: () => {
        held += 1;
        return Promise.resolve();
      },
    },
  });
  assert.deepEqual([run.fired, held], ['overdue', 1]);
});

test('a part of the torture that cannot be run is counted, and the next one is run', async () => {
  const report = new TortureReport({
    seed: 1,
    file: undefined,
    resume: false,
    say: () => undefined,
  });
  await report.run('kills', 'slow', () => Promise.reject(new Error('did not end')));
  await report.run('kills', 'quick', () =>
    Promise.resolve({ figures: { points: 3 }, violations: [] }),
  );
  assert.equal(report.violations, 1);
  assert.match(report.finish(), /slow[^]*quick/);
});
