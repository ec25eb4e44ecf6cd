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
    { name: 'and are hashed here', bytes: 1000, staysAsIs: true },
    { name: 'and are hashed elsewhere', bytes: 1e9, staysAsIs: true },
    { name: 'in memory that is used again', bytes: 1e9, staysAsIs: false },
  ],
  async ({ bytes, staysAsIs }) => {
    using hash = new DiffHash('sha256', { bytes, staysAsIs });
    const slot = Buffer.alloc(500_000);
    for (let at = 0, count = 1; at < content.length; at += slot.length, count++) {
      const piece = content.subarray(at, at + slot.length);
      hash.add(staysAsIs ? piece : slot.fill(piece).subarray(0, piece.length));
      // More comes while what was there is waited for, as it does of a decompressor.
      if (count % 3 === 0) void hash.settle();
      if (count % 4 === 0) await turn();
    }
    await hash.settle();
    assert.equal(hash.digest(), expected);
  },
);

test('DiffHash can be disposed of while pieces wait', async () => {
  const hash = new DiffHash('sha256', { bytes: 1e9, staysAsIs: true });
  hash.add(content);
  hash.add(content);
  hash[Symbol.dispose]();
  await hash.settle().catch(() => undefined);
});
