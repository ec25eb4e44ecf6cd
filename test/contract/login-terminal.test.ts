import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { onScriptTerminal } from '../support/on-script-terminal.js';
import { runCommand } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

// `berth login` as a person meets it on a terminal, and as a script without one does.

const account = { user: 'somebody', password: 'pass word' };
const program = ownProgram();

test('on a terminal login asks for the name, shown, and for the password, hidden', async () => {
  using folder = new TempDir();
  await using registry = await FakeRegistry.start({
    login: 'basic',
    accounts: { [account.user]: account.password },
  });
  const { host } = registry;
  const authfile = `${folder.path}/auth.json`;
  const { status, seen } = await onScriptTerminal(
    [process.execPath, program, 'login', '--authfile', authfile, host],
    [
      [`User name at ${host}: `, `${account.user}\r`],
      [`Password of ${account.user} at ${host}: `, `${account.password}x\u007f\r`],
    ],
  );
  assert.equal(status, 0, seen);
  assert.match(seen, /User name at \S+: somebody\r\n/);
  assert.doesNotMatch(seen, /pass word/, 'the password was shown');
  assert.match(seen, /logged in to \S+ as somebody\r\n$/);
  assert.match(readFileSync(authfile, 'utf8'), /"auth"/);
});

each(
  'a login that is broken off keeps nothing',
  [
    { name: 'Ctrl-C at the name', typed: '\u0003', status: 130 },
    { name: 'Ctrl-D at the name', typed: '\u0004', status: 64 },
    { name: 'no name', typed: '\r', status: 64 },
    { name: 'a name that cannot be one', typed: 'a:b\r', status: 64 },
  ],
  async ({ typed, status }) => {
    using folder = new TempDir();
    const authfile = `${folder.path}/auth.json`;
    const args = ['login', '--authfile', authfile, '127.0.0.1:9'];
    const ended = await onScriptTerminal(
      [process.execPath, program, ...args],
      [['User name at 127.0.0.1:9: ', typed]],
    );
    assert.equal(ended.status, status, ended.seen);
    assert.ok(!existsSync(authfile));
  },
);

each(
  'without a terminal login says in one line what it wants:',
  [
    { name: 'a name', args: [], says: /no terminal to ask for the user name on$/m },
    { name: 'a password', args: ['-u', 'x'], says: /no terminal to ask for the password on$/m },
    {
      name: 'a name beside a password',
      args: ['--password-stdin'],
      says: /the name of the account is needed$/m,
    },
    {
      name: 'another name',
      args: ['-u', 'a:b', '--password-stdin'],
      says: /a user name has no colon/,
    },
  ],
  async ({ args, says }) => {
    const login = [process.execPath, program, 'login', ...args, '127.0.0.1:9'];
    const { status, stdout, stderr } = await runCommand(login, { input: 'password\n' });
    assert.deepEqual([status, stdout], [64, '']);
    assert.match(stderr, says);
    const lines = stderr.trimEnd().split('\n');
    assert.ok(
      lines.length <= 2 && lines.slice(1).every((line) => line.startsWith('hint: ')),
      stderr,
    );
  },
);
