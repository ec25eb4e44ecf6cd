import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TempDir } from '../support/temp-dir.js';
import { raceVerbs, RIVALS } from '../torture/pause-races.js';
import { naiveSwapTargets, survivesSwaps, swapTargets } from '../torture/swap-racer.js';
import { SMALL, torturedVerbs } from '../torture/verbs.js';

// FAULTS.md C.6: the small form of the races of `npm run torture`.

/** With six verbs, enough to meet each of the other commands. */
const POINTS = 3;

const images = new TempDir();
process.once('exit', () => {
  images[Symbol.dispose]();
});

const verbs = torturedVerbs(images.path, SMALL).filter(({ name }) => RIVALS.has(name));
for (const [index, verb] of verbs.entries()) {
  test(`whatever else is started while ${verb.name} is at work, both end well`, async () => {
    using folder = new TempDir();
    const options = { folder: folder.path, limit: POINTS, inTurnFrom: index * POINTS };
    const { figures, violations } = await raceVerbs(verb, options);
    assert.deepEqual(violations, []);
    assert.ok((figures['races'] ?? 0) >= POINTS - 1, `only ${figures['races'] ?? 0} races`);
  });
}

for (const target of swapTargets()) {
  test(`G13 ${target.name}: a folder that is exchanged for a link leads nowhere`, async () => {
    const { figures, violations } = await survivesSwaps(target, { swaps: 20_000 });
    assert.deepEqual(violations, []);
    assert.ok((figures['swaps'] ?? 0) >= 20_000);
  });
}

for (const target of naiveSwapTargets()) {
  test(`G13 control: ${target.name} is led outside`, async () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const { violations } = await survivesSwaps(target, { swaps: 20_000 });
      if (violations.length > 0) return;
    }
    assert.fail('it was never led outside');
  });
}
