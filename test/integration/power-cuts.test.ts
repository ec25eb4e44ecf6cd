import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runPowerCuts, WITHOUT_SYNC } from '../torture/run-power-cuts.js';
import { CORE_VERBS, SMALL } from '../torture/verbs.js';

// FAULTS.md C.5: the power goes while berth works, and the disk has lost, reordered or torn what was not flushed.

const SEED = Number(process.env['BERTH_TEST_SEED'] ?? 1);

test('a power cut at any moment leaves the old or the new, and takes nothing back that was reported', async (t) => {
  const results = await runPowerCuts({
    states: 180,
    fileSystems: ['ext4', 'xfs', 'btrfs'],
    verbs: CORE_VERBS,
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

/** When a file system writes of its own accord is chance: more states are looked at until one tells, up to this often. */
const MAX_TRIES = 6;

// A neighbour syncs: ext4 and xfs then keep the names and sizes of all files, not what is in them. btrfs either keeps only
// what the neighbour wrote, or all that was written by then, as it likes: there nobody syncs, and all is lost.
const CAUGHT = [
  { fileSystem: 'ext4', as: /, at once: (I4|I5|failed with)/, quiet: false },
  { fileSystem: 'xfs', as: /, at once: (I4|I5|failed with)/, quiet: false },
  { fileSystem: 'btrfs', as: /: I11 /, quiet: true },
] as const;

for (const { fileSystem, as, quiet } of CAUGHT) {
  test(`control: the same program without its syncs is caught on ${fileSystem}`, async () => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const results = await runPowerCuts({
        states: 20,
        fileSystems: [fileSystem],
        verbs: ['install'],
        size: SMALL,
        seed: SEED + attempt,
        wrapper: WITHOUT_SYNC,
        quiet,
      });
      if (results.some(({ violations }) => violations.some((text) => as.test(text)))) return;
    }
    assert.fail(`nothing was found in ${MAX_TRIES} runs`);
  });
}
