import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { formatDropIn } from '../../../src/systemd/drop-in.js';
import {
  formatUnit,
  getValue,
  getValues,
  getWords,
  listAssignments,
  parseUnit,
} from '../../../src/systemd/unit-text.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

test('formatUnit() gives back every text that parseUnit() read', () => {
  const pieces = fc.constantFrom(
    '[Unit]',
    '[',
    ']',
    'Key',
    '=',
    ' ',
    '\n',
    '\\',
    '\\\n',
    '#',
    ';',
    'é',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      assert.equal(formatUnit(parseUnit(parts.join(''))), parts.join(''));
    }),
  );
});

test('parseUnit() reads continuations and comments as systemd does', () => {
  const unit = parseUnit(
    '[Service]\nExecStart = /x \\\n# comment\n  a \\\\ \\\n b\n; Key=1\nUser=y\\\\\nGroup=z\n',
  );
  assert.deepEqual(listAssignments(unit), [
    { section: 'Service', key: 'ExecStart', value: '/x    a \\\\   b', line: 2 },
    { section: 'Service', key: 'User', value: 'y\\\\', line: 7 },
    { section: 'Service', key: 'Group', value: 'z', line: 8 },
  ]);
});

test('getValue(), getValues() and getWords() know resets', () => {
  const unit = parseUnit(
    '[Unit]\nAfter=a b\nAfter=\nAfter=c\nAfter= d  e\nDescription=x\nDescription=\n',
  );
  assert.deepEqual(getValues(unit, 'Unit', 'After'), ['c', 'd  e']);
  assert.deepEqual(getWords(unit, 'Unit', 'After'), ['c', 'd', 'e']);
  assert.equal(getValue(unit, 'Unit', 'Description'), undefined);
  assert.equal(getValue(unit, 'Unit', 'After'), 'd  e');
});

test('formatDropIn() groups rows by section, each once', () => {
  const text = formatDropIn([
    { section: 'Service', key: 'TasksMax', value: '10' },
    { section: 'Unit', key: 'RequiresMountsFor', value: '/a /b' },
    { section: 'Service', key: 'TasksMax', value: '10' },
    { section: 'Service', key: 'DeviceAllow', value: '' },
  ]);
  assert.match(
    text,
    /^# .*\n\n\[Unit\]\nRequiresMountsFor=\/a \/b\n\n\[Service\]\nTasksMax=10\nDeviceAllow=\n$/,
  );
});

each(
  'formatDropIn() refuses a row that would be more than one directive',
  [
    { name: 'a newline', row: { section: 'Unit', key: 'After', value: 'a\nUser=x' } },
    { name: 'a backslash at the end', row: { section: 'Unit', key: 'After', value: 'a\\' } },
    { name: 'a key with an equals sign', row: { section: 'Unit', key: 'A=', value: 'a' } },
    { name: 'a section with a bracket', row: { section: 'Unit]\n[X', key: 'A', value: 'a' } },
  ],
  async ({ row }) => {
    await assertFails('UNIT_INVALID', () => formatDropIn([row]));
  },
);
