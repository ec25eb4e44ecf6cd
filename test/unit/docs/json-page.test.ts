import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { createProgram } from '../../../src/cli/program.js';
import { assertJsonAsDocumented, WITHOUT_DOCUMENT } from '../../support/check-json.js';
import { describeJson } from '../../support/describe-json.js';
import { findMisfits } from '../../support/fits-json.js';
import { each } from '../../support/each.js';
import { JSON_PAGE, readJsonPage, renewJsonPage } from '../../support/json-page.js';

/** Commands whose document is that of another one. */
const ELSEWHERE = /^(containers .*|images info|push)$/;

test('the page of JSON is what the types of the sources say', () => {
  const page = readFileSync(JSON_PAGE, 'utf8');
  assert.equal(
    page,
    renewJsonPage(page, describeJson()),
    "a result of a command has other fields than its page says: see whether scripts can bear it, then run 'node packaging/write-json-page.mjs'",
  );
});

test('the page of JSON has every command', async () => {
  const program = await createProgram({ host: process, signal: new AbortController().signal }, []);
  const commands = program.commands.flatMap((command) =>
    command.commands.length === 0
      ? command.name()
      : command.commands.map((sub) => `${command.name()} ${sub.name()}`),
  );
  const own = commands.filter((name) => !ELSEWHERE.test(name) && !WITHOUT_DOCUMENT.includes(name));
  assert.deepEqual([...readJsonPage().results.keys()].sort(), own.sort());
});

const TAGS = JSON.stringify({ repository: 'registry.example/web', tags: ['1'] });

each<{
  readonly name: string;
  readonly words: readonly string[];
  readonly stdout?: string;
  readonly misfit?: RegExp;
}>(
  'assertJsonAsDocumented() of',
  [
    { name: 'a command as documented', words: ['--json', 'tags', 'web'], stdout: TAGS },
    {
      name: 'other fields',
      words: ['tags', '--json'],
      stdout: '{}',
      misfit: /not what berth-json/,
    },
    {
      name: 'a command that is not there',
      words: ['tig', '--json'],
      misfit: /tig --json is not in/,
    },
    {
      name: 'one of a group that is not there',
      words: ['images', 'eat', '--json'],
      misfit: /--json is not in/,
    },
    { name: 'a refusal', words: ['tig', '--json'], stdout: '' },
    { name: 'what a container writes', words: ['exec', 'web', 'ls', '--json'] },
    {
      name: 'one behind an option with a value',
      words: ['--storage', 'ostree', 'tags', '--json'],
      misfit: /tags --json is not what/,
    },
    { name: 'another spelling', words: ['containers', 'list', '--json'], stdout: '[]' },
  ],
  ({ words, stdout = '{}', misfit }) => {
    const check = (): void => {
      const argv = ['node', '/usr/lib/berth/berth.cjs', ...words];
      assertJsonAsDocumented(argv, { stdout, signal: undefined });
    };
    if (misfit === undefined) check();
    else assert.throws(check, misfit);
  },
);

const SHAPES = {
  results: new Map<string, string>(),
  types: new Map([
    [
      'Row',
      new Map([
        ['name', { optional: false, type: 'string' }],
        ['size', { optional: true, type: 'integer' }],
        ['kind', { optional: false, type: '"a" | "b c"' }],
        ['at', { optional: true, type: '{ x: null | number, y?: boolean }[]' }],
        ['more', { optional: true, type: '{ [name]: Row[] }' }],
      ]),
    ],
  ]),
};

each<{ readonly name: string; readonly value: unknown; readonly wrong: readonly string[] }>(
  'findMisfits() sees',
  [
    { name: 'what is documented', value: [{ name: 'n', kind: 'b c' }], wrong: [] },
    {
      name: 'every field',
      value: [
        {
          name: 'n',
          kind: 'a',
          size: '9007199254740993',
          at: [{ x: null, y: true }],
          more: { q: [{ name: 'm', kind: 'a' }] },
        },
      ],
      wrong: [],
    },
    {
      name: 'a field too many',
      value: [{ name: 'n', kind: 'a', z: 1 }],
      wrong: ['$[0].z is not documented'],
    },
    { name: 'a field that is gone', value: [{ kind: 'a' }], wrong: ['$[0].name is missing'] },
    {
      name: 'another type',
      value: [{ name: 1, kind: 'a' }],
      wrong: ['$[0].name is 1, not string'],
    },
    {
      name: 'another word',
      value: [{ name: 'n', kind: 'c' }],
      wrong: ['$[0].kind is "c", not "a"'],
    },
    {
      name: 'a fraction for an integer',
      value: [{ name: 'n', kind: 'a', size: 1.5 }],
      wrong: ['$[0].size is 1.5, not integer'],
    },
    {
      name: 'null in place of nothing',
      value: [{ name: 'n', kind: 'a', size: null }],
      wrong: ['$[0].size is null, not integer'],
    },
    { name: 'no list', value: {}, wrong: ['$ is {}, not a list'] },
    {
      name: 'a field too many further in',
      value: [{ name: 'n', kind: 'a', at: [{ x: 1, z: 1 }] }],
      wrong: ['$[0].at[0].z is not documented'],
    },
    {
      name: 'a wrong item of a map',
      value: [{ name: 'n', kind: 'a', more: { q: [{}] } }],
      wrong: ['$[0].more.q[0].name is missing', '$[0].more.q[0].kind is missing'],
    },
  ],
  ({ value, wrong }) => {
    assert.deepEqual(findMisfits(value, 'Row[]', SHAPES), wrong);
  },
);
