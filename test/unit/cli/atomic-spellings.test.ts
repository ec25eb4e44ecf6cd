import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ATOMIC_SPELLINGS, findSpelling } from '../../../src/cli/atomic-spellings.js';
import { createProgram } from '../../../src/cli/program.js';
import { each } from '../../support/each.js';

each<{
  readonly name: string;
  readonly words: readonly string[];
  readonly unknown: string;
  readonly want: string | undefined;
}>(
  'findSpelling() answers',
  [
    { name: 'a command', words: ['version', 'etcd'], unknown: 'version', want: 'version' },
    {
      name: 'a command of a group',
      words: ['images', 'update'],
      unknown: 'update',
      want: 'images update',
    },
    { name: 'an option', words: ['run', 'etcd'], unknown: '--spc', want: 'run --spc' },
    {
      name: 'an option with its value',
      words: ['run', 'etcd'],
      unknown: '--name=web',
      want: 'run --name',
    },
    { name: 'a short option', words: ['run', 'etcd'], unknown: '-d', want: 'run --detach' },
    { name: 'a short option of another command', words: ['top'], unknown: '-d', want: 'top -d' },
    {
      name: 'an option of a group',
      words: ['images', 'verify', 'x'],
      unknown: '-a',
      want: 'images verify --all',
    },
    { name: 'an option of all', words: ['list'], unknown: '--assumeyes', want: '--assumeyes' },
    { name: 'not what atomic had not', words: ['list'], unknown: '--spc', want: undefined },
    { name: 'not what objects have', words: ['list'], unknown: 'constructor', want: undefined },
  ],
  ({ words, unknown, want }) => {
    assert.equal(
      findSpelling(words, unknown),
      want === undefined ? undefined : ATOMIC_SPELLINGS[want],
    );
  },
);

test('what is answered is no command or option of berth', async () => {
  const context = { host: process, signal: new AbortController().signal };
  const program = await createProgram(context, []);
  const commands = new Map(
    program.commands.flatMap((command) => [
      [command.name(), command] as const,
      ...command.commands.map((sub) => [`${command.name()} ${sub.name()}`, sub] as const),
    ]),
  );
  for (const key of Object.keys(ATOMIC_SPELLINGS)) {
    const [, command = '', option] = /^(.*?) ?(-\S+)?$/.exec(key) ?? [];
    if (option === undefined) assert.ok(!commands.has(command), key);
    else {
      const found = command === '' ? program : commands.get(command);
      assert.ok(found !== undefined, `${key}: there is no such command`);
      assert.ok(!found.options.some(({ long, short }) => long === option || short === option), key);
    }
  }
});
