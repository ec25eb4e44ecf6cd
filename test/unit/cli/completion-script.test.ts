import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
