import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TempDir } from '../support/temp-dir.js';
import { sweepKills } from '../torture/kill-sweep.js';
import { SMALL, torturedVerbs } from '../torture/verbs.js';

// F12: the small form of `npm run torture`: each verb killed at calls of every kind and phase, in a tree of `--root`.

/** As many as show every class of calls at its first, and most at their last; a third of it for each of the double faults. */
const POINTS = 28;

const images = new TempDir();
process.once('exit', () => {
  images[Symbol.dispose]();
});

for (const verb of torturedVerbs(images.path, SMALL)) {
  test(`${verb.name} can be killed anywhere`, async (t) => {
    using folder = new TempDir();
    const limit = verb.broken === undefined ? POINTS : Math.ceil(POINTS / 3);
    const result = await sweepKills(verb, { folder: folder.path, limit });
    t.diagnostic(`${result.points} of ${result.calls} calls that change something`);
    assert.deepEqual(result.violations, []);
    assert.equal(result.missed, 0, 'a kill did not come');
    assert.ok(result.points >= limit * 0.8, `only ${result.points} points`);
  });
}
