import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseContainerName } from '../../../src/base/container-name.js';
import { parseExportsManifest } from '../../../src/templates/exports-manifest.js';
import {
  parseSetArguments,
  resolveValues,
  type ResolveValuesInput,
} from '../../../src/templates/resolve-values.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

function inputOf(changes: Partial<ResolveValuesInput>): ResolveValuesInput {
  return {
    name: parseContainerName('etcd'),
    user: { uid: 0, gid: 0 },
    directories: { run: '/run', state: '/var/lib', configuration: '/etc' },
    destdir: '/var/lib/berth/etcd',
    image: { id: 'abc', name: 'registry.example/etcd:3' },
    exec: { start: '/usr/libexec/berth/launch x', stop: '', startPre: '', stopPost: '' },
    program: '/usr/bin/berth',
    runtime: 'berth-runtime',
    capabilities: ['CAP_CHOWN', 'CAP_KILL'],
    uuid: '0000-1',
    manifest: parseExportsManifest('{}'),
    credentialsPath: '/run/host/credentials',
    fileValues: new Map(),
    setValues: new Map(),
    used: [],
    ...changes,
  };
}

function textOf(changes: Partial<ResolveValuesInput>, name: string): string | undefined {
  return resolveValues(inputOf(changes)).values.get(name)?.text;
}

const withDefaults = parseExportsManifest(
  '{"defaultValues":{"PORT":"1","NAME":"evil","RUN_DIRECTORY":"/elsewhere","COUNT":7}}',
);
const ofUser: Partial<ResolveValuesInput> = {
  user: { uid: 1000, gid: 100 },
  directories: {
    run: '/run/user/1000',
    state: '/home/u/.local/share',
    configuration: '/home/u/.config',
  },
};

each<{ name: string; changes: Partial<ResolveValuesInput>; variable: string; want: string }>(
  'resolveValues() decides',
  [
    { name: 'a default', changes: { manifest: withDefaults }, variable: 'PORT', want: '1' },
    {
      name: 'a number as Python',
      changes: { manifest: withDefaults },
      variable: 'COUNT',
      want: '7',
    },
    {
      name: 'the file before the default',
      changes: { manifest: withDefaults, fileValues: new Map([['PORT', '2']]) },
      variable: 'PORT',
      want: '2',
    },
    {
      name: '--set before the file',
      changes: {
        used: ['PORT'],
        fileValues: new Map([['PORT', '2']]),
        setValues: new Map([['PORT', '3']]),
      },
      variable: 'PORT',
      want: '3',
    },
    { name: 'a forced one', changes: { manifest: withDefaults }, variable: 'NAME', want: 'etcd' },
    {
      name: 'the host before the image',
      changes: { manifest: withDefaults },
      variable: 'RUN_DIRECTORY',
      want: '/run',
    },
    {
      name: '--set before the host',
      changes: { setValues: new Map([['RUN_DIRECTORY', '/r']]) },
      variable: 'RUN_DIRECTORY',
      want: '/r',
    },
    {
      name: 'the pid file below what --set says',
      changes: { setValues: new Map([['RUN_DIRECTORY', '/r']]) },
      variable: 'PIDFILE',
      want: '/r/container-etcd.pid',
    },
    {
      name: 'capabilities',
      changes: {},
      variable: 'ALL_PROCESS_CAPABILITIES',
      want: '"CAP_CHOWN",\n"CAP_KILL"',
    },
    { name: 'the uuid', changes: {}, variable: 'UUID', want: '0000-1' },
    {
      name: "the image's uuid",
      changes: { manifest: parseExportsManifest('{"defaultValues":{"UUID":"mine"}}') },
      variable: 'UUID',
      want: 'mine',
    },
    {
      name: "a user's run directory",
      changes: ofUser,
      variable: 'RUN_DIRECTORY',
      want: '/run/user/1000',
    },
    {
      name: "a user's state",
      changes: ofUser,
      variable: 'STATE_DIRECTORY',
      want: '/home/u/.local/share',
    },
    {
      name: "a user's configuration",
      changes: ofUser,
      variable: 'CONF_DIRECTORY',
      want: '/home/u/.config',
    },
    { name: 'HOST_UID', changes: ofUser, variable: 'HOST_UID', want: '1000' },
  ],
  ({ changes, variable, want }) => {
    assert.equal(textOf(changes, variable), want);
  },
);

test('resolveValues() names all missing variables at once, each with its --set', async () => {
  const error = await assertFails('VARIABLE_MISSING', () =>
    resolveValues(inputOf({ used: ['A', 'NAME', 'constructor', 'B'] })),
  );
  assert.equal(error.message, 'no values for variables A, constructor, B');
  assert.equal(error.hint, 'add --set A=VALUE --set constructor=VALUE --set B=VALUE');
});

test('resolveValues() sends nobody to the command line with a secret', async () => {
  const manifest = parseExportsManifest('{"variables":{"A":{"secret":true}}}');
  const error = await assertFails('VARIABLE_MISSING', () =>
    resolveValues(inputOf({ manifest, used: ['A', 'B'] })),
  );
  assert.equal(error.hint, 'add --set A=@FILE --set B=VALUE');
});

test('resolveValues() warns of names that no template has, with the nearest one', () => {
  const { warnings } = resolveValues(
    inputOf({
      manifest: withDefaults,
      setValues: new Map([
        ['PROT', '1'],
        ['ZZZZZZ', '1'],
      ]),
    }),
  );
  assert.deepEqual(warnings, [
    "the image has no variable 'PROT', ignoring it; did you mean 'PORT'?",
    "the image has no variable 'ZZZZZZ', ignoring it",
  ]);
});

test('resolveValues() refuses to set what berth decides', async () => {
  const setValues = new Map([['NAME', 'x']]);
  const error = await assertFails('VALUE_INVALID', () => resolveValues(inputOf({ setValues })));
  assert.match(String(error.hint), /--name/);
});

const typed = parseExportsManifest(`{"variables":{
  "N":{"type":"integer"}, "B":{"type":"boolean"}, "P":{"type":"path"}, "L":{"type":"list","default":["a","b"]},
  "E":{"enum":["x","y"]}, "R":{"pattern":"[a-z]+"}, "S":{"secret":true,"enum":["open","sesame"]},
  "Z":{"pattern":"(a+)+b"}}}`);

each(
  'resolveValues() refuses a value that its declaration does not allow',
  [
    { name: 'no integer', set: 'N=1.5' },
    { name: 'no safe integer', set: 'N=9007199254740993' },
    { name: 'no boolean', set: 'B=yes' },
    { name: 'a relative path', set: 'P=a/b' },
    { name: 'a path with ..', set: 'P=/a/../b' },
    { name: 'not one of the enum', set: 'E=z' },
    { name: 'only a part that matches the pattern', set: 'R=abc1' },
    { name: 'what takes for ever to match', set: `Z=${'a'.repeat(40)}` },
    { name: 'a NUL', set: 'S=a\0b' },
    { name: 'half a surrogate pair', set: 'S=\ud800' },
    { name: 'more than the kernel takes', set: `S=${'x'.repeat(131_072)}` },
  ],
  async ({ set }) => {
    await assertFails('VALUE_INVALID', () =>
      resolveValues(inputOf({ manifest: typed, setValues: parseSetArguments([set]) })),
    );
  },
);

test('resolveValues() gives typed values', () => {
  const setValues = parseSetArguments(['N=12', 'B=false', 'E=x', 'S=sesame']);
  const { values } = resolveValues(inputOf({ manifest: typed, setValues }));
  assert.deepEqual(
    ['N', 'B', 'L', 'E'].map((name) => values.get(name)?.typed),
    [12, false, ['a', 'b'], 'x'],
  );
});

test('resolveValues() gives the path of a secret as its value, and the secret apart', () => {
  const setValues = parseSetArguments(['S=sesame']);
  const keptSecrets = new Map([
    ['S', 'open'],
    ['N', '7'],
  ]);
  const resolved = resolveValues(inputOf({ manifest: typed, setValues, keptSecrets }));
  assert.equal(resolved.values.get('S')?.secret, true);
  assert.equal(resolved.values.get('S')?.text, '/run/host/credentials/S');
  assert.deepEqual([...resolved.secrets], [['S', 'sesame']]);
  assert.doesNotMatch(JSON.stringify([...resolved.values]), /sesame/);
  assert.equal(resolved.values.get('N'), undefined, 'it was a secret and is a text now');
  assert.match(resolved.warnings.join(), /N is no secret of this image any more/);
  const kept = resolveValues(inputOf({ manifest: typed, keptSecrets }));
  assert.deepEqual([...kept.secrets], [['S', 'open']]);
});

test('resolveValues() tells all that is wrong at once, and no secret', async () => {
  const setValues = parseSetArguments(['N=x', 'B=yes', 'NAME=a', 'S=hunter2']);
  const error = await assertFails('VALUE_INVALID', () =>
    resolveValues(inputOf({ manifest: typed, setValues, used: ['MISSING'] })),
  );
  for (const name of ['N', 'B', 'NAME', 'S', 'MISSING'])
    assert.match(error.message, new RegExp(`\\b${name}: `));
  assert.doesNotMatch(error.message, /hunter2/);
});

each(
  'a manifest may not say of a secret',
  [
    { name: 'what it is', manifest: '{"variables":{"A":{"secret":true,"default":"x"}}}' },
    {
      name: 'what it is, elsewhere',
      manifest: '{"defaultValues":{"A":"x"},"variables":{"A":{"secret":true}}}',
    },
    { name: 'that it is what berth decides', manifest: '{"variables":{"NAME":{"secret":true}}}' },
    {
      name: 'that it is what the host decides',
      manifest: '{"variables":{"UUID":{"secret":true}}}',
    },
  ],
  async ({ manifest }) => {
    await assertFails('EXPORTS_INVALID', () =>
      resolveValues(inputOf({ manifest: parseExportsManifest(manifest) })),
    );
  },
);

each(
  'parseSetArguments() refuses',
  [
    { name: 'no equals sign', arg: 'A' },
    { name: 'no name', arg: '=1' },
    { name: 'a name with a dash', arg: 'A-B=1' },
  ],
  async ({ arg }) => {
    await assertFails('USAGE', () => parseSetArguments([arg]));
  },
);

test('parseSetArguments() keeps equals signs of the value', () => {
  assert.deepEqual(
    [...parseSetArguments(['A=b=c', 'E='])],
    [
      ['A', 'b=c'],
      ['E', ''],
    ],
  );
});
