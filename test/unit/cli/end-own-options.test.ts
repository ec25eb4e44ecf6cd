import assert from 'node:assert/strict';

import { endOwnOptions } from '../../../src/cli/end-own-options.js';
import { createProgram } from '../../../src/cli/program.js';
import { each } from '../../support/each.js';

each(
  'endOwnOptions()',
  [
    { name: 'options of the program', line: 'exec web ls -l', want: 'exec web -- ls -l' },
    {
      name: "options of the program that are berth's, too",
      line: 'exec web env -u FOO --json',
      want: 'exec web -- env -u FOO --json',
    },
    {
      name: 'behind options with and without values',
      line: '--user exec -tu 33 --workdir /x -e A=b web sh -c true',
      want: '--user exec -tu 33 --workdir /x -e A=b web -- sh -c true',
    },
    {
      name: 'a value in one word',
      line: 'exec -u33 --workdir=/x web id -u',
      want: 'exec -u33 --workdir=/x web -- id -u',
    },
    {
      name: "berth's options between the name and the program",
      line: 'exec web -t sh -i',
      want: 'exec web -t -- sh -i',
    },
    { name: 'of a run', line: 'run web top -b', want: 'run web -- top -b' },
    { name: 'its end where it is said', line: 'exec web -- ls -l', want: undefined },
    { name: 'its end behind the program', line: 'exec web sh -- -c true', want: undefined },
    {
      name: 'the end of the program’s options',
      line: 'exec web git log -p -- file',
      want: 'exec web -- git log -p -- file',
    },
    { name: 'a program without options', line: 'exec web ls /tmp', want: undefined },
    { name: 'no program', line: 'run web --json', want: undefined },
    { name: 'another command', line: 'diff a b --json', want: undefined },
    { name: 'no command', line: '--json', want: undefined },
  ],
  async ({ line, want }) => {
    const args = line.split(' ');
    const context = { host: process, signal: new AbortController().signal };
    const program = await createProgram(context, args);
    assert.equal(endOwnOptions(args, program).join(' '), want ?? line);
  },
);
