import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runPowerCuts, WITHOUT_SYNC } from '../torture/run-power-cuts.js';
import { SMALL } from '../torture/verbs.js';

// FAULTS.md C.5: the power goes while berth works, and the disk has lost, reordered or torn what was not flushed.

const SEED = Number(process.env['BERTH_TEST_SEED'] ?? 1);

test('a power cut at any moment leaves the old or the new, and takes nothing back that was reported', async (t) => {
  const results = await runPowerCuts({
    states: 180,
    fileSystems: ['ext4', 'xfs', 'btrfs'],
    size: SMALL,
    seed: SEED,
  });
  for (const { verb, fileSystem, writes, flushes, states, afterSuccess } of results)
    t.diagnostic(
      `${verb} on ${fileSystem}: ${writes} writes, ${flushes} flushes, ${states} states, ${afterSuccess} after success (seed ${SEED})`,
    );
  assert.deepEqual(
    results.flatMap(({ violations }) => violations),
    [],
  );
  assert.ok(results.reduce((sum, { states }) => sum + states, 0) >= 100);
  for (const { verb, fileSystem, states, afterSuccess, flushes } of results) {
    assert.ok(states >= 5, `${verb} on ${fileSystem}: only ${states} states`);
    assert.ok(afterSuccess > states / 5, `${verb} on ${fileSystem}: none after success`);
    assert.ok(flushes > 5, `${verb} on ${fileSystem}: hardly flushed`);
  }
});

test('control: the same program without its syncs is caught as torn and as forgetful', async () => {
  const results = await runPowerCuts({
    states: 60,
    fileSystems: ['ext4', 'xfs', 'btrfs'],
    verbs: ['install'],
    size: SMALL,
    seed: SEED,
    wrapper: WITHOUT_SYNC,
  });
  // A neighbour syncs: ext4 and xfs then keep the names and sizes of all files, not what is in them. btrfs keeps only
  // what the neighbour wrote.
  const expected: Readonly<Record<string, RegExp>> = {
    ext4: /, at once: (I4|I5|failed with)/,
    xfs: /, at once: (I4|I5|failed with)/,
    btrfs: /: I11 /,
  };
  for (const { fileSystem, violations } of results)
    assert.ok(
      violations.some((text) => expected[fileSystem]?.test(text)),
      `${fileSystem}: nothing was found`,
    );
});
