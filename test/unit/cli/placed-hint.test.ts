import assert from 'node:assert/strict';

import { placedHint } from '../../../src/cli/output/placed-hint.js';
import { each } from '../../support/each.js';

each(
  'placedHint()',
  [
    {
      name: 'a command',
      hint: "see 'berth list'",
      users: "see 'berth --user list'",
      trees: "see 'berth --root /mnt list'",
    },
    {
      name: 'systemd',
      hint: "see 'journalctl -u web' and 'systemctl status web'",
      users: "see 'journalctl --user-unit web' and 'systemctl --user status web'",
      trees: "see 'journalctl -u web' and 'systemctl --root=/mnt status web'",
    },
    {
      name: 'what has it',
      hint: 'systemctl --user status',
      users: 'systemctl --user status',
      trees: 'systemctl --user status',
    },
    {
      name: 'the program itself',
      hint: "see 'berth --help'",
      users: "see 'berth --help'",
      trees: "see 'berth --help'",
    },
    {
      name: 'the help of a command',
      hint: "see 'berth images delete --help'",
      users: "see 'berth images delete --help'",
      trees: "see 'berth images delete --help'",
    },
  ],
  ({ hint, users, trees }) => {
    assert.equal(placedHint(hint, { user: true }), users);
    assert.equal(placedHint(hint, { root: '/mnt' }), trees);
    assert.equal(placedHint(hint, {}), hint);
  },
);

each(
  'placedHint() of a folder',
  [
    { name: 'with blanks', root: '/a b', want: `see 'berth --root "/a b" list'` },
    { name: 'with what replace() knows', root: '/$&', want: `see 'berth --root "/$&" list'` },
  ],
  ({ root, want }) => {
    assert.equal(placedHint("see 'berth list'", { root }), want);
  },
);
