import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { runCommand } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

// `berth login` as a person meets it on a terminal, and as a script without one does.

const account = { user: 'somebody', password: 'pass word' };
const program = ownProgram();

/** What is typed, and after which words of the program. */
type Answer = readonly [prompt: string, typed: string];

/** Runs berth on a terminal of its own (script(1)), and gives what a person saw. */
async function onTerminal(
  args: readonly string[],
  answers: readonly Answer[],
): Promise<{ readonly status: number | null; readonly seen: string }> {
  const command = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null']);
  const waiting = [...answers];
  let seen = '';
  child.stdout.on('data', (bytes: Buffer) => {
    seen += bytes.toString();
    const [next] = waiting;
    if (next === undefined || !seen.endsWith(next[0])) return;
    waiting.shift();
    child.stdin.write(next[1]);
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  assert.deepEqual(waiting, [], `it did not ask: ${seen}`);
  return { status, seen };
}

test('on a terminal login asks for the name, shown, and for the password, hidden', async () => {
  using folder = new TempDir();
  await using registry = await FakeRegistry.start({
    login: 'basic',
    accounts: { [account.user]: account.password },
  });
  const { host } = registry;
  const authfile = `${folder.path}/auth.json`;
  const { status, seen } = await onTerminal(
    ['login', '--authfile', authfile, host],
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
    const ended = await onTerminal(args, [['User name at 127.0.0.1:9: ', typed]]);
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
