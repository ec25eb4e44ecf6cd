import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LoggedRequest } from '../../torture/power/block-log.js';
import { type CrashState, crashStates } from '../../torture/power/crash-states.js';
import { seededRandom } from '../../torture/seeded-random.js';

/** A log: `w` a write of two blocks, `F` a flush. */
function logOf(text: string): readonly LoggedRequest[] {
  return Array.from(text, (letter, index) => ({
    isFlush: letter === 'F',
    sector: index * 16,
    sectors: letter === 'F' ? 0 : 16,
    data: letter === 'F' ? undefined : Buffer.alloc(8192),
    end: index,
  }));
}

function statesOf(text: string, options: { from?: number; count: number; seed?: number }) {
  const log = logOf(text);
  return crashStates(log, {
    from: options.from ?? 0,
    to: log.length,
    count: options.count,
    atomicSectors: 8,
    random: seededRandom(options.seed ?? 1),
  });
}

/** Indices of the requests that the disk has. */
function kept(state: CrashState): readonly number[] {
  return [...Array.from({ length: state.whole }, (_, index) => index), ...state.also];
}

test('crashStates() never loses what was flushed before something that is there', () => {
  const text = 'wwwFwwwwwwwwwwwFwFww';
  const states = statesOf(text, { count: 400 });
  assert.ok(states.length > 100);
  for (const state of states) {
    const there = new Set(kept(state));
    const last = Math.max(...there, -1);
    const flushed = text.lastIndexOf('F', last);
    for (let index = 0; index < flushed; index++)
      assert.ok(there.has(index), JSON.stringify(state));
  }
});

test('crashStates() tries every combination of a few writes', () => {
  const seen = new Set(
    statesOf('Fwww', { from: 1, count: 1000 })
      .filter(({ kind }) => kind !== 'torn')
      .map((state) => kept(state).join()),
  );
  assert.deepEqual([...seen].sort(), [
    '0',
    '0,1',
    '0,1,2',
    '0,1,2,3',
    '0,1,3',
    '0,2',
    '0,2,3',
    '0,3',
  ]);
});

test('crashStates() tears the last write at a whole number of blocks', () => {
  const torn = statesOf('wwFww', { count: 100 }).filter(({ kind }) => kind === 'torn');
  assert.equal(torn.length, 4);
  for (const { tornSectors } of torn) assert.equal(tornSectors, 8);
});

test('crashStates() gives the same states for the same seed, as many as asked for, none before the beginning', () => {
  const text = 'wFwwwwwwwwwwwFwwwwwwwwwwwwwF';
  const states = statesOf(text, { from: 2, count: 50, seed: 7 });
  assert.deepEqual(states, statesOf(text, { from: 2, count: 50, seed: 7 }));
  assert.notDeepEqual(states, statesOf(text, { from: 2, count: 50, seed: 8 }));
  assert.equal(states.length, 50);
  for (const { whole } of states) assert.ok(whole >= 2);
});
