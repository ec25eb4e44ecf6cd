import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findCommandPath, ownWords, readPlace } from '../../../src/cli/own-words.js';
import { createProgram } from '../../../src/cli/program.js';
import { each } from '../../support/each.js';

test('ownWords() ends before what another program is told', () => {
  assert.deepEqual(ownWords(['exec', 'web', '--', 'ls', '--json']), ['exec', 'web']);
  assert.deepEqual(ownWords(['list', '--json']), ['list', '--json']);
});

each(
  'findCommandPath()',
  [
    { name: 'a command', line: '--json list', want: 'list' },
    { name: 'one of a group', line: 'images --json delete', want: 'images delete' },
    { name: 'a group without one', line: 'images', want: 'images' },
    { name: 'an unknown one of a group', line: 'images lst', want: 'images' },
    { name: 'the value of an option', line: '--root list pin', want: 'pin' },
    { name: 'none that is known', line: 'lst list', want: undefined },
    { name: 'none', line: '--json', want: undefined },
  ],
  async ({ line, want }) => {
    const args = line.split(' ');
    const context = { host: process, signal: new AbortController().signal };
    const program = await createProgram(context, args);
    assert.equal(findCommandPath(args, program), want);
  },
);

each(
  'readPlace()',
  [
    { name: 'of the system', line: 'list', want: { user: false } },
    { name: 'of a user', line: 'list --user', want: { user: true } },
    { name: 'of a tree', line: '--root /mnt list', want: { user: false, root: '/mnt' } },
    {
      name: 'of a tree in one word',
      line: 'list --root=/a=b',
      want: { user: false, root: '/a=b' },
    },
    { name: 'of no tree', line: 'list --root', want: { user: false } },
  ],
  ({ line, want }) => {
    assert.deepEqual(readPlace(line.split(' ')), want);
  },
);
