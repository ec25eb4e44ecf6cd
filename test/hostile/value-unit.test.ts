import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseContainerName } from '../../src/base/container-name.js';
import { splitUnitLines, unitShape } from '../../src/base/unit-lines.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import { listAssignments, parseUnit } from '../../src/systemd/unit-text.js';
import { parseExportsManifest } from '../../src/templates/exports-manifest.js';
import { parseTemplate } from '../../src/templates/parse-template.js';
import { renderUnit } from '../../src/templates/render-unit.js';
import { resolveValues, type ResolveValuesInput } from '../../src/templates/resolve-values.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { substituteNaively } from '../support/naive-substitution.js';
import { valuesOf } from '../support/template-values.js';

// Values that try to become directives, specifiers or words of a unit. `naive` says what the unit would then be.

const template = `[Unit]
Description=$V
[Service]
Environment=A=$V
ExecStart=/bin/echo $V
[Install]
WantedBy=multi-user.target
`;

interface Row {
  readonly name: string;
  readonly value: string;
  /** Whether the naive unit is broken or changed, so that the row is a real attack. */
  readonly naive: (unit: string) => boolean;
}

const refused: readonly Row[] = [
  {
    name: 'P01 a new directive',
    value: 'hi\nExecStartPre=/bin/touch /tmp/x',
    naive: hasKey('ExecStartPre'),
  },
  { name: 'P01 a new section', value: 'hi\n[Install]\nAlias=sshd.service', naive: hasKey('Alias') },
  {
    name: 'P01 a carriage return, which ends a line too',
    value: 'hi\rUser=x',
    naive: contains('\r'),
  },
  { name: 'P01 a NUL, which ends a line too', value: 'hi\0User=x', naive: contains('\0') },
  { name: 'P01 an escape sequence', value: '\u001b]0;evil\u0007', naive: contains('\u001b') },
  { name: 'P01 a C1 control character', value: 'a\u0085b', naive: contains('\u0085') },
  {
    name: 'P06 a backslash that joins the next line',
    value: 'foo\\',
    naive: (unit) => !unitShape(unit).includes('[Service]'),
  },
];

each('renderUnit() refuses', refused, async ({ value }) => {
  const error = await assertFails('VALUE_INVALID', () =>
    renderUnit(parseTemplate('service.template', template), valuesOf({ V: value })),
  );
  assert.match(error.message, /^value of V /);
  assert.doesNotMatch(
    error.message,
    /[\u0000-\u001f\u007f-\u009f]/,
    'P31: it writes on the terminal',
  );
});

each('P01 P06 naive substitution lets through', refused, ({ value, naive }) => {
  assert.ok(naive(substituteNaively(template, { V: value })));
});

each<{ name: string; template: string; value: string; naive: string }>(
  'P07 renderUnit() refuses as a command',
  [
    {
      name: 'all privileges',
      template: 'ExecStart=$V',
      value: '+/bin/x',
      naive: 'ExecStart=+/bin/x',
    },
    {
      name: 'a failure that does not count',
      template: 'ExecStart=${V}',
      value: '-/bin/x',
      naive: 'ExecStart=-/bin/x',
    },
    {
      name: 'another first argument',
      template: 'ExecStart=$V',
      value: '@/bin/x',
      naive: 'ExecStart=@/bin/x',
    },
    {
      name: 'a prefix after one of the template',
      template: 'ExecStart=-$V x',
      value: '!/bin/x',
      naive: 'ExecStart=-!/bin/x x',
    },
    { name: 'an option', template: 'ExecStart=$V', value: '--help', naive: 'ExecStart=--help' },
    {
      name: 'a dollar sign',
      template: 'ExecStart=/opt/$V',
      value: '$HOME',
      naive: 'ExecStart=/opt/$HOME',
    },
  ],
  async (row) => {
    const text = `[Service]\n${row.template}\n`;
    await assertFails('VALUE_INVALID', () =>
      renderUnit(parseTemplate('service.template', text), valuesOf({ V: row.value })),
    );
    assert.ok(substituteNaively(text, { V: row.value }).includes(row.naive));
  },
);

each<{ name: string; template: string; value: string }>(
  'P07 renderUnit() refuses in the place of a directive',
  [
    { name: 'a line', template: '$V\n', value: 'User=root' },
    { name: 'a comment sign on a continued line', template: 'ExecStart=/x \\\n$V\n', value: '#x' },
    { name: 'a key', template: '${V}=x\n', value: 'User' },
    { name: 'a part of a key', template: 'Exec$V=/x\n', value: 'StartPre' },
    { name: 'a section', template: '[$V]\n', value: 'Install' },
    { name: 'several variables by one', template: 'Environment=$V\n', value: 'A=1 LD_PRELOAD=/x' },
  ],
  async (row) => {
    await assertFails('VALUE_INVALID', () =>
      renderUnit(
        parseTemplate('service.template', `[Service]\n${row.template}`),
        valuesOf({ V: row.value }),
      ),
    );
  },
);

each<{ name: string; value: string; words: readonly string[] }>(
  'P03 P04 renderUnit() keeps as one word',
  [
    { name: 'specifiers', value: '%n %% %Q', words: ['/bin/echo', '%n %% %Q'] },
    {
      name: 'variables of the environment',
      value: '$X ${X} $$',
      words: ['/bin/echo', '$X ${X} $$'],
    },
    { name: 'quotes', value: `a" 'b`, words: ['/bin/echo', `a" 'b`] },
    { name: 'a second command', value: '; /bin/rm -rf /', words: ['/bin/echo', '; /bin/rm -rf /'] },
    { name: 'a semicolon', value: ';', words: ['/bin/echo', ';'] },
    { name: 'backslashes', value: '\\x41 \\', words: ['/bin/echo', '\\x41 \\'] },
    {
      name: 'a placeholder',
      value: '$V ${V} $EXEC_START',
      words: ['/bin/echo', '$V ${V} $EXEC_START'],
    },
  ],
  ({ value, words }) => {
    const text = '[Service]\nExecStart=/bin/echo $V\n';
    const unit = renderUnit(parseTemplate('service.template', text), valuesOf({ V: value }));
    assert.deepEqual(commandWords(unit), words);
    assert.notDeepEqual(commandWords(substituteNaively(text, { V: value })), words);
  },
);

test('P02 every way by which a value comes passes the same check', async () => {
  const evil = 'x\nUser=root';
  const changes: Partial<ResolveValuesInput>[] = [
    { setValues: new Map([['V', evil]]) },
    { fileValues: new Map([['V', evil]]) },
    { manifest: parseExportsManifest(JSON.stringify({ defaultValues: { V: evil } })) },
    { manifest: parseExportsManifest(JSON.stringify({ variables: { V: { default: evil } } })) },
    { image: { id: 'x', name: evil } },
    { image: { id: evil, name: 'x' } },
    { uuid: evil },
    { destdir: evil },
    { runtime: evil },
    { program: evil },
    { directories: { run: evil, state: '/s', configuration: '/c' } },
  ];
  const variables = [
    'V',
    'IMAGE_NAME',
    'IMAGE_ID',
    'UUID',
    'DESTDIR',
    'RUNTIME',
    'ATOMIC',
    'RUN_DIRECTORY',
  ];
  for (const change of changes) {
    const { values } = resolveValues({
      name: parseContainerName('x'),
      user: { uid: 0, gid: 0 },
      directories: { run: '/run', state: '/s', configuration: '/c' },
      destdir: '/d',
      image: { id: 'x', name: 'x' },
      exec: { start: '/l', stop: '', startPre: '', stopPost: '' },
      program: '/p',
      runtime: 'r',
      capabilities: [],
      uuid: 'u',
      manifest: parseExportsManifest('{}'),
      credentialsPath: '/run/host/credentials',
      fileValues: new Map(),
      setValues: new Map([['V', '']]),
      used: ['V'],
      ...change,
      ...('setValues' in change || !('fileValues' in change || 'manifest' in change)
        ? {}
        : { setValues: new Map() }),
    });
    const text = `[Unit]\n${variables.map((name) => `Description=\${${name}}\n`).join('')}`;
    await assertFails('VALUE_INVALID', () =>
      renderUnit(parseTemplate('service.template', text), values),
    );
  }
  await assertFails('NAME_INVALID', () => parseContainerName(evil));
});

test('P01 no value at all changes the directives of a unit', () => {
  const text =
    '# $V\n[Unit]\nAfter=a.service $V b.service\nDescription="$V"\n[Service]\nUser=$V\nEnvironment="A=$V" \'B=$V\'\nExecStart=/bin/echo "$V" $V \\\n  $V\n[Install]\nAlias=$V\n';
  const shape = unitShape(text);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      try {
        const unit = renderUnit(parseTemplate('service.template', text), valuesOf({ V: value }));
        assert.deepEqual(unitShape(unit), shape, 'a value became a directive');
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('P04 every value that is taken comes back from a command line as it was', () => {
  const printable = fc.string({ unit: fc.constantFrom(...'abc \\"\'$%;#{}~*|&<>()`é'.split('')) });
  fc.assert(
    fc.property(printable, (value) => {
      fc.pre(value !== '');
      for (const quoted of ['$V', '"$V"', "'$V'"]) {
        const text = `[Service]\nExecStart=/bin/echo ${quoted}\n`;
        const unit = renderUnit(parseTemplate('service.template', text), valuesOf({ V: value }));
        assert.deepEqual(commandWords(unit), ['/bin/echo', value], unit);
      }
    }),
    { numRuns: 1000 },
  );
});

function hasKey(key: string): (unit: string) => boolean {
  return (unit) => listAssignments(parseUnit(unit)).some((assignment) => assignment.key === key);
}

function contains(text: string): (unit: string) => boolean {
  return (unit) => unit.includes(text);
}

/** The words of ExecStart= as systemd.service(5), "Command lines", has them, written for this test. */
function commandWords(unit: string): readonly string[] {
  const line = splitUnitLines(unit).find(
    (candidate) => candidate.kind === 'assignment' && candidate.key === 'ExecStart',
  );
  const value = line?.kind === 'assignment' ? line.value : '';
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const [token] of value.matchAll(/\\x[0-9a-f]{2}|\\.|\$\$|%%|\$\{?\w*\}?|%.|[^]/gu)) {
    if (quote === '' && token.includes(' ')) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (token === quote) quote = '';
    else if (quote === '' && (token === '"' || token === "'")) {
      quote = token;
      word ??= '';
    } else if (quote === '' && word === undefined && token === ';') words.push('<next command>');
    else word = `${word ?? ''}${meaningOf(token)}`;
  }
  return word === undefined ? words : [...words, word];
}

function meaningOf(token: string): string {
  if (token.startsWith('\\x')) return String.fromCharCode(Number.parseInt(token.slice(2), 16));
  if (token.startsWith('\\')) return token.slice(1);
  if (token === '$$' || token === '%%') return token.slice(1);
  if (token.length > 1 && token.startsWith('$')) return '<variable>';
  return token.length > 1 && token.startsWith('%') ? '<specifier>' : token;
}
