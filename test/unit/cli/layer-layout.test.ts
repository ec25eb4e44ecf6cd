import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { layoutLayers } from '../../../src/cli/output/layer-layout.js';

const box = (id: string): { id: string; width: number } => ({ id, width: 50 });

test('layoutLayers() places what starts later further to the right, and boxes never on each other', () => {
  const graphs = fc.integer({ min: 1, max: 20 }).chain((count) => {
    const arrow = fc.record({
      from: fc.integer({ min: 0, max: count - 1 }),
      to: fc.integer({ min: 0, max: count - 1 }),
    });
    return fc.record({ count: fc.constant(count), arrows: fc.array(arrow, { maxLength: 60 }) });
  });
  fc.assert(
    fc.property(graphs, ({ count, arrows }) => {
      const ids = Array.from({ length: count }, (_, index) => String(index));
      // Without cycles: every arrow leads to a higher number.
      const forward = arrows
        .filter(({ from, to }) => from < to)
        .map(({ from, to }) => ({ from: String(from), to: String(to) }));
      const { nodes, width, height } = layoutLayers(ids.map(box), forward);
      assert.equal(nodes.size, count);
      for (const { from, to } of forward) {
        assert.ok((nodes.get(from)?.x ?? 0) < (nodes.get(to)?.x ?? 0), `${from} -> ${to}`);
      }
      const placed = [...nodes.values()];
      for (const one of placed) {
        assert.ok(
          one.x >= 0 && one.y >= 0 && one.x + one.width <= width && one.y + one.height <= height,
        );
        for (const other of placed) {
          assert.ok(one === other || one.x !== other.x || Math.abs(one.y - other.y) >= one.height);
        }
      }
    }),
  );
});

test('layoutLayers() places the boxes of a cycle, too', () => {
  const arrows = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'c', to: 'a' },
    { from: 'c', to: 'c' },
    { from: 'c', to: 'nowhere' },
  ];
  const { nodes } = layoutLayers(['a', 'b', 'c'].map(box), arrows);
  assert.deepEqual([...nodes.keys()].sort(), ['a', 'b', 'c']);
});

test('layoutLayers() places 2,000 boxes in a row, and 1,000 beside each other', () => {
  const row = Array.from({ length: 2_000 }, (_, index) => `n${index}`);
  const chain = row.slice(1).map((id, index) => ({ from: row[index] ?? '', to: id }));
  assert.equal(layoutLayers(row.map(box), chain).nodes.size, 2_000);
  const many = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
  const star = many.flatMap((id) => [
    { from: 'first', to: id },
    { from: id, to: 'last' },
  ]);
  assert.equal(layoutLayers(['first', 'last', ...many].map(box), star).nodes.size, 1_002);
});
