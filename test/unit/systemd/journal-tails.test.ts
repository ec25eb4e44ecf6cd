import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entriesByUnit, unitsOf } from '../../../src/systemd/journal-tails.js';
import { each } from '../../support/each.js';

const COREDUMP = 'fc2e22bc6ee647b6b90729ab34a250b1';
const uid = String(process.getuid?.());

interface Row {
  readonly name: string;
  readonly mode?: 'system' | 'user';
  readonly entry: Readonly<Record<string, string>>;
  readonly want: readonly string[];
}

each<Row>(
  'unitsOf() has the units that an entry is of:',
  [
    {
      name: 'what a service wrote',
      entry: { _SYSTEMD_UNIT: 'web.service' },
      want: ['web.service'],
    },
    {
      name: 'what systemd says of one',
      entry: { _PID: '1', _SYSTEMD_UNIT: 'init.scope', UNIT: 'web.service' },
      want: ['init.scope', 'web.service'],
    },
    {
      name: 'not what a service says that it is of',
      entry: { _PID: '7', _UID: '0', _SYSTEMD_UNIT: 'db.service', UNIT: 'web.service' },
      want: ['db.service'],
    },
    {
      name: 'what a daemon of root says of another',
      entry: { _UID: '0', _SYSTEMD_UNIT: 'a.service', OBJECT_SYSTEMD_UNIT: 'web.service' },
      want: ['a.service', 'web.service'],
    },
    {
      name: 'a core that was dumped',
      entry: { _UID: '0', MESSAGE_ID: COREDUMP, COREDUMP_UNIT: 'web.service' },
      want: ['web.service'],
    },
    {
      name: 'no core of which anybody speaks',
      entry: { _UID: '9', MESSAGE_ID: COREDUMP, COREDUMP_UNIT: 'web.service' },
      want: [],
    },
    {
      name: 'nothing of a user’s service of that name',
      entry: {
        _UID: '1000',
        _SYSTEMD_UNIT: 'user@1000.service',
        _SYSTEMD_USER_UNIT: 'web.service',
      },
      want: ['user@1000.service'],
    },
    {
      name: 'a service of this user',
      mode: 'user',
      entry: { _UID: uid, _SYSTEMD_UNIT: 'user@1000.service', _SYSTEMD_USER_UNIT: 'web.service' },
      want: ['web.service'],
    },
    {
      name: 'nothing of another user',
      mode: 'user',
      entry: { _UID: `${uid}1`, _SYSTEMD_USER_UNIT: 'web.service' },
      want: [],
    },
  ],
  ({ entry, mode = 'system', want }) => {
    assert.deepEqual(unitsOf(entry, mode), want);
  },
);

test('what was read for a unit alone is of it, whatever says so', () => {
  const [web, strange] = [{ _SYSTEMD_UNIT: 'web.service' }, { MESSAGE: 'x' }];
  const read = (units: readonly string[]): unknown => [
    ...entriesByUnit(units, [web, strange], 'system'),
  ];
  assert.deepEqual(read(['db.service']), [['db.service', [web, strange]]]);
  assert.deepEqual(read(['db.service', 'web.service']), [
    ['db.service', []],
    ['web.service', [web]],
  ]);
});
