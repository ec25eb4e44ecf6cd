import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TempDir } from '../support/temp-dir.js';
import { sweepFaults } from '../torture/fault-sweep.js';
import { seededRandom } from '../torture/seeded-random.js';
import { isMeant } from '../torture/tortured-verb.js';
import { CORE_VERBS, SMALL, torturedVerbs } from '../torture/verbs.js';

// F02–F04: the small form of the faults of `npm run torture`. The seed is fixed: what passes today passes tomorrow.

const FAULTS = 12;
const VERBS = [...CORE_VERBS, 'prune'];

const images = new TempDir();
process.once('exit', () => {
  images[Symbol.dispose]();
});

for (const verb of torturedVerbs(images.path, SMALL).filter((each) => isMeant(each, VERBS))) {
  test(`${verb.name} survives system calls that fail`, async () => {
    using folder = new TempDir();
    const random = seededRandom(5);
    const result = await sweepFaults(verb, { folder: folder.path, limit: FAULTS, random });
    assert.deepEqual(result.violations, []);
    assert.ok(result.faults >= FAULTS - 2, `only ${result.faults} faults came`);
  });
}
