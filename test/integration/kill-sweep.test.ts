import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TempDir } from '../support/temp-dir.js';
import { sweepKills } from '../torture/kill-sweep.js';
import { isMeant, type TorturedVerb } from '../torture/tortured-verb.js';
import { CORE_VERBS, SMALL, torturedVerbs } from '../torture/verbs.js';

// F12: the small form of `npm run torture`: each verb killed at calls of every kind and phase, in a tree of `--root`.

/** As many as show every class of calls at its first, and most at their last; fewer for double faults and lesser verbs. */
const POINTS = 28;

function pointsOf(verb: TorturedVerb): number {
  if (!isMeant(verb, CORE_VERBS)) return 3;
  return verb.broken === undefined ? POINTS : 10;
}

const images = new TempDir();
process.once('exit', () => {
  images[Symbol.dispose]();
});

for (const verb of torturedVerbs(images.path, SMALL)) {
  test(`${verb.name} can be killed anywhere`, async (t) => {
    using folder = new TempDir();
    const limit = pointsOf(verb);
    const result = await sweepKills(verb, { folder: folder.path, limit });
    t.diagnostic(`${result.points} of ${result.calls} calls that change something`);
    assert.deepEqual(result.violations, []);
    assert.equal(result.missed, 0, 'a kill did not come');
    assert.ok(result.points >= limit * 0.6, `only ${result.points} points`);
  });
}
