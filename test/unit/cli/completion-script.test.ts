import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { describeCommands, formatCompletion } from '../../../src/cli/completion-script.js';
import { createProgram } from '../../../src/cli/program.js';
import { each } from '../../support/each.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

each(
  'what bash completes',
  [
    { name: 'a command', line: ['inst'], offers: ['install'] },
    { name: 'a command after --user', line: ['--user', 'inst'], offers: ['install'] },
    { name: 'a command after --root', line: ['--root', '/mnt', 'hist'], offers: ['history'] },
    { name: 'an option', line: ['install', '--no-en'], offers: ['--no-enable'] },
    { name: 'a container', line: ['start', 'w'], offers: ['web'] },
    { name: "a user's container", line: ['--user', 'start', 'u'], offers: ['users'] },
    { name: "a user's container, told later", line: ['start', '--user', 'u'], offers: ['users'] },
    { name: 'no container of the user without it', line: ['start', 'u'], offers: [] },
    { name: 'a command of a group', line: ['images', 'del'], offers: ['delete'] },
    { name: 'an option of one', line: ['images', 'delete', '--st'], offers: ['--storage'] },
    { name: 'a container of one', line: ['containers', 'delete', 'w'], offers: ['web'] },
    { name: 'no option of the group for one', line: ['trust', 'show', '--pub'], offers: [] },
    {
      name: 'what an option can be',
      line: ['install', '--storage', ''],
      offers: ['embedded', 'ostree'],
    },
    {
      name: 'what an option of one in a group can be',
      line: ['trust', 'add', '-t', 'rej'],
      offers: ['reject'],
    },
    { name: 'nothing for a file', line: ['install', '--values', ''], offers: [] },
    { name: 'a shell', line: ['completion', 'f'], offers: ['fish'] },
    { name: 'what there is help of', line: ['help', 'unm'], offers: ['unmount'] },
    { name: "no container of atomic's", line: ['adopt', 'w'], offers: [] },
  ],
  async ({ line, offers }) => {
    using folder = new TempDir();
    const program = await createProgram(
      { host: process, signal: new AbortController().signal },
      [],
    );
    const script = join(folder.path, 'completion');
    writeFileSync(script, formatCompletion('bash', describeCommands(program)));
    const berth = join(folder.path, 'berth');
    writeFileSync(berth, '#!/bin/sh\n[ "$1" = --user ] && echo users || echo web\n');
    chmodSync(berth, 0o755);
    const words = ['berth', ...line].map((word) => `'${word}'`).join(' ');
    const said = await runOk([
      'bash',
      '-c',
      `PATH=${folder.path}:$PATH; . ${script}
       COMP_WORDS=(${words}); COMP_CWORD=${line.length}
       _berth; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]);
    assert.deepEqual(
      said.split('\n').filter((word) => word !== ''),
      offers,
    );
  },
);

test('what is completed for zsh is in words that it reads, and complete at once', async () => {
  const program = await createProgram({ host: process, signal: new AbortController().signal }, []);
  const script = formatCompletion('zsh', describeCommands(program));
  assert.match(script, /^#compdef berth\n/);
  // Its own modifiers begin with a letter behind a colon.
  assert.doesNotMatch(script, /\$\{[^}]*:[A-Za-z]/);
  assert.doesNotMatch(script, /\bwords=/, "which is zsh's own");
  assert.match(script, /= _berth \]; then _bash_complete -o default -F _berth; fi\n$/);
});
