import assert from 'node:assert/strict';

import { usersHint } from '../../../src/cli/output/users-hint.js';
import { each } from '../../support/each.js';

each(
  'usersHint()',
  [
    { name: 'a command', hint: "see 'berth list'", want: "see 'berth --user list'" },
    {
      name: 'systemd',
      hint: "see 'journalctl -u web' and 'systemctl status web'",
      want: "see 'journalctl -u web' and 'systemctl --user status web'",
    },
    { name: 'what has it', hint: 'systemctl --user status', want: 'systemctl --user status' },
    { name: 'the program itself', hint: "see 'berth --help'", want: "see 'berth --help'" },
  ],
  ({ hint, want }) => {
    assert.equal(usersHint(hint, true), want);
    assert.equal(usersHint(hint, undefined), hint);
  },
);
