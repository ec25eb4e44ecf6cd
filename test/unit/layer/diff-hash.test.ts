import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { DiffHash } from '../../../src/layer/diff-hash.js';
import { each } from '../../support/each.js';

const content = randomBytes(6_000_000);
const expected = createHash('sha256').update(content).digest('hex');

each(
  'DiffHash keeps the order of pieces that come',
  [
    { name: 'and are hashed here', bytes: 1000 },
    { name: 'and are hashed elsewhere', bytes: 1e9 },
  ],
  async ({ bytes }) => {
    using hash = new DiffHash('sha256', bytes);
    for (let at = 0, count = 1; at < content.length; at += 500_000, count++) {
      hash.add(content.subarray(at, at + 500_000));
      // More comes while what was there is waited for, as it does of a decompressor.
      if (count % 3 === 0) void hash.settle();
      if (count % 4 === 0) await turn();
    }
    assert.equal(await hash.digest(), expected);
  },
);

test('DiffHash can be disposed of while pieces wait', async () => {
  const hash = new DiffHash('sha256', 1e9);
  hash.add(content);
  hash.add(content);
  hash[Symbol.dispose]();
  await hash.settle()?.catch(() => undefined);
});
