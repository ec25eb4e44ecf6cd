import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runCli } from '../../../src/cli/run.js';
import { each } from '../../support/each.js';

/** Runs a command line; gives its status and what it wrote. */
async function berth(...args: readonly string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const write = (chunk: string): boolean => {
    text += chunk;
    return true;
  };
  const host = {
    ...{
      argv: ['node', 'berth', ...args],
      env: {},
      stdout: { write, on: () => undefined },
      stderr: { write },
    },
    ...{ on: () => undefined, off: () => undefined },
  };
  return { status: await runCli(host as never), text };
}

each(
  'berth help',
  [
    { name: 'alone names the commands', args: [], status: 0, has: /^ {2}install <image> /m },
    { name: 'of a command', args: ['list'], status: 0, has: /^Usage: berth list \[options\]/ },
    {
      name: 'of a mistyped one',
      args: ['instal'],
      status: 64,
      has: /'instal'[^]*did you mean 'install'/,
    },
    { name: 'of none', args: ['zzz'], status: 64, has: /unknown command 'zzz'/ },
    {
      name: 'of one of a group',
      args: ['images', 'delete'],
      status: 0,
      has: /^Usage: berth images delete \[options\]/,
    },
    {
      name: 'of a mistyped one of a group',
      args: ['images', 'lits'],
      status: 64,
      has: /unknown command 'images lits'[^]*did you mean 'images list'/,
    },
    {
      name: 'of none of a group',
      args: ['images', 'zzz'],
      status: 64,
      has: /hint: see 'berth images --help'/,
    },
    { name: 'of what is no group', args: ['list', 'all'], status: 64, has: /'list all'/ },
  ],
  async ({ args, status, has }) => {
    const result = await berth('help', ...args);
    assert.equal(result.status, status);
    assert.match(result.text, has);
  },
);

test('a group without a command says so', async () => {
  const result = await berth('images');
  assert.equal(result.status, 64);
  assert.match(result.text, /no command was given[^]*berth images --help/);
});

test('a mistyped option of a command in a group leads to the help of that command', async () => {
  const result = await berth('images', 'delete', '--strage', 'x');
  assert.equal(result.status, 64);
  assert.match(result.text, /'--strage'[^]*--storage[^]*see 'berth images delete --help'/);
});

test('what a container is told is no option of berth', async () => {
  const result = await berth('exec', '--', 'web', 'ls', '--json');
  assert.match(result.text, /^berth: /, result.text);
});
