import assert from 'node:assert/strict';
import { test } from 'node:test';

import { COMMANDS } from '../../../src/cli/command-table.js';
import { formatProgramHelp } from '../../../src/cli/program-help.js';
import { HELP_COMMAND_WORDS } from '../../../src/cli/program-words.js';
import { createProgram } from '../../../src/cli/program.js';
import { each } from '../../support/each.js';

const context = { host: process, signal: new AbortController().signal };

each(
  'createProgram() loads what is called',
  [
    { name: 'a command', args: ['list', '--json'], want: ['list', 'help'] },
    { name: 'behind options', args: ['--json', '--root', '/x', 'pin'], want: ['pin', 'help'] },
    {
      name: 'behind a value that is a command',
      args: ['--root', 'list', 'pin'],
      want: ['pin', 'help'],
    },
    { name: 'behind a value in one word', args: ['--root=list', 'pin'], want: ['pin', 'help'] },
    { name: 'one of several in a file', args: ['push', 'a', 'b'], want: ['push', 'help'] },
    { name: 'a verb of systemd', args: ['restart', 'etcd'], want: ['restart', 'help'] },
  ],
  async ({ args, want }) => {
    const program = await createProgram(context, args);
    assert.deepEqual(
      program.commands.map((command) => command.name()),
      want,
    );
  },
);

each(
  'createProgram() loads everything',
  [
    { name: 'for no command', args: [] },
    { name: 'for the help', args: ['--help'] },
    { name: 'for the help of one', args: ['help', 'list'] },
    { name: 'for what completes all of them', args: ['completion', 'bash'] },
    { name: 'for what nobody knows: one of them may be meant', args: ['lst', 'list'] },
    { name: 'for an option without its value', args: ['--root'] },
  ],
  async ({ args }) => {
    const program = await createProgram(context, args);
    const names = program.commands.map((command) => command.name());
    assert.ok(names.length > 35, names.join(' '));
    assert.equal(new Set(names).size, names.length);
  },
);

test('what the help of the program says of a command, the command says', async () => {
  const program = await createProgram(context, []);
  assert.deepEqual(
    [...COMMANDS, HELP_COMMAND_WORDS].map(({ name, usage, summary }) => ({ name, usage, summary })),
    program.commands.map((command) => ({
      name: command.name(),
      usage: command.createHelp().subcommandTerm(command).slice(command.name().length).trim(),
      summary: command.summary() || command.description(),
    })),
  );
});

test('the help of the program stands in columns, with its options', async () => {
  const program = await createProgram(context, []);
  const help = program.helpInformation();
  assert.match(help, /^Usage: berth \[options\] \[command\]\n\nInstalls OCI images/);
  for (const { flags, description } of program.options)
    assert.match(help, new RegExp(`^ {2}${flags} +${description}$`, 'm'));
  const [options = '', commands = ''] = help.split('\nCommands:\n');
  const columnsOf = (rows: string): readonly number[] =>
    [...rows.matchAll(/^ {2}\S.*? {2,}(?=\S)/gm)].map(([term]) => term.length);
  assert.equal(new Set(columnsOf(options)).size, 1);
  assert.ok(columnsOf(commands).length > 40, commands);
  assert.equal(new Set(columnsOf(commands)).size, 1);
  assert.doesNotMatch(commands, /\[options\]/);
});

test('the help of the program is as wide as the terminal', () => {
  const widthOf = (help: string): number =>
    Math.max(...help.split('\n').map((line) => line.length));
  assert.ok(widthOf(formatProgramHelp()) <= 80);
  assert.ok(widthOf(formatProgramHelp(70)) <= 79, 'the last line alone is longer');
  assert.ok(widthOf(formatProgramHelp(200)) > 90);
  assert.match(formatProgramHelp(), /^ {2}mount <what> <directory> {5,}\S.*\n {20,}\S/m);
  assert.equal(widthOf(formatProgramHelp(1)), widthOf(formatProgramHelp(60)), 'some room is left');
});
