import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { diffLines } from '../../../src/containers/text-diff.js';
import { each } from '../../support/each.js';

each(
  'diffLines()',
  [
    { name: 'the same', before: 'a\nb', after: 'a\nb', want: [] },
    {
      name: 'a line replaced',
      before: 'a\nb\nc',
      after: 'a\nx\nc',
      want: ['  a', '- b', '+ x', '  c'],
    },
    { name: 'a line added at the end', before: 'a', after: 'a\nb', want: ['  a', '+ b'] },
    {
      name: 'far lines left out',
      before: '1\n2\n3\n4\n5\n6',
      after: '1\n2\n3\n4\n5\nx',
      want: ['  3', '  4', '  5', '- 6', '+ x'],
    },
  ],
  ({ before, after, want }) => {
    assert.deepEqual(diffLines(before, after), want);
  },
);

test('diffLines() has every changed line of both texts', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before.join('\n'), after.join('\n'));
      const grown = lines.filter((line) => line.startsWith('+')).length;
      const shrunk = lines.filter((line) => line.startsWith('-')).length;
      const size = (list: readonly string[]): number => list.join('\n').split('\n').length;
      assert.equal(grown - shrunk, size(after) - size(before));
    }),
  );
});
