import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isTagPattern, selectTag } from '../../../src/containers/tag-pattern.js';
import { isInWindow, parsePolicy } from '../../../src/containers/update-policy.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const TAGS = [
  'latest',
  '3',
  '3.4.9',
  '3.5',
  '3.5.1',
  '3.5.12',
  'v3.5.9',
  '3.6.0',
  '3.10.0',
  '4.0.0',
  '0.2.3',
  '0.2.9',
  '0.3.0',
  '3.5.13-rc1',
  '3.5.14-alpine',
  '99999999999999.0.0',
];

each(
  'selectTag() finds the newest of',
  [
    { name: '3.5.x', tag: '3.5.12' },
    { name: '3.5.*', tag: '3.5.12' },
    { name: '3.x', tag: '3.10.0' },
    { name: 'x', tag: '4.0.0' },
    { name: '^3.5', tag: '3.10.0' },
    { name: '^0.2.3', tag: '0.2.9' },
    { name: '~3.5.1', tag: '3.5.12' },
    { name: '~3.5', tag: '3.10.0' },
    { name: '5.x', tag: undefined },
  ],
  ({ name, tag }) => {
    assert.ok(isTagPattern(name));
    assert.equal(selectTag(name, TAGS), tag);
  },
);

test('a plain tag is no pattern', () => {
  for (const text of ['latest', '3.5.1', 'v1', '', '^', '>=3', '3.x.1'])
    assert.ok(!isTagPattern(text), text);
});

test('parsePolicy() takes what it knows and refuses the rest', async () => {
  assert.deepEqual(parsePolicy({}), {
    mode: 'off',
    tags: undefined,
    window: undefined,
    newPermissions: 'hold',
  });
  assert.equal(parsePolicy({ newPermissions: 'allow' }).newPermissions, 'allow');
  assert.equal(parsePolicy({ mode: 'apply', tags: '^3', window: '22:00-04:00' }).mode, 'apply');
  for (const bad of [
    { mode: 'always' },
    { tags: 'a b' },
    { tags: '../x' },
    { window: '25:00-26:00' },
    { window: '1-2' },
    { newPermissions: 'perhaps' },
  ])
    await assertFails('USAGE', () => parsePolicy(bad));
});

each(
  'isInWindow()',
  [
    { name: '22:00-04:00', at: '23:30', is: true },
    { name: '22:00-04:00', at: '03:59', is: true },
    { name: '22:00-04:00', at: '04:00', is: false },
    { name: '02:00-05:00', at: '02:00', is: true },
    { name: '02:00-05:00', at: '01:59', is: false },
  ],
  ({ name, at, is }) => {
    assert.equal(isInWindow(name, new Date(`2026-03-04T${at}:00`)), is);
    assert.ok(isInWindow(undefined, new Date(0)));
  },
);
