import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findCycles } from '../../../src/containers/graph/find-cycles.js';
import { each } from '../../support/each.js';

function relation(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const map = new Map<string, Set<string>>();
  for (const pair of text.split(' ').filter((word) => word !== '')) {
    const [from = '', to = ''] = pair.split('>');
    map.set(from, (map.get(from) ?? new Set()).add(to));
  }
  return map;
}

each(
  'findCycles() finds',
  [
    { name: 'none in nothing', pairs: '', cycles: [] },
    { name: 'none in a chain', pairs: 'a>b b>c a>c', cycles: [] },
    { name: 'none where two lead to one', pairs: 'a>b a>c b>d c>d', cycles: [] },
    { name: 'one that waits for itself', pairs: 'a>a', cycles: ['a a'] },
    { name: 'one of two', pairs: 'b>a a>b', cycles: ['a b a'] },
    { name: 'the short one of a group', pairs: 'a>b b>c c>a b>a', cycles: ['a b a'] },
    { name: 'one of three, reached from outside', pairs: 'x>b a>b b>c c>a', cycles: ['a b c a'] },
    { name: 'one for each group', pairs: 'a>b b>a c>d d>c b>c', cycles: ['a b a', 'c d c'] },
  ],
  ({ pairs, cycles }) => {
    const found = findCycles(relation(pairs)).map((cycle) => cycle.join(' '));
    assert.deepEqual([...found].sort(), cycles);
  },
);

test('findCycles() takes a chain of 100,000 units', () => {
  const pairs = new Map<string, ReadonlySet<string>>();
  for (let at = 0; at < 100_000; at++) pairs.set(`u${at}`, new Set([`u${at + 1}`]));
  assert.deepEqual(findCycles(pairs), []);
  pairs.set('u100000', new Set(['u0']));
  assert.equal(findCycles(pairs)[0]?.length, 100_002);
});
