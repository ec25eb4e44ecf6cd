import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import Handlebars from 'handlebars';

import { OperationalError } from '../../src/errors/operational-error.js';
import { parseExportsManifest } from '../../src/templates/exports-manifest.js';
import { parseTemplate } from '../../src/templates/parse-template.js';
import { renderHostFile, renderRenameFiles } from '../../src/templates/render-text.js';
import { renderTmpfiles } from '../../src/templates/render-tmpfiles.js';
import { parseTmpfiles } from '../../src/systemd/tmpfiles-text.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { substituteNaively } from '../support/naive-substitution.js';
import { valuesOf } from '../support/template-values.js';

// Templates and manifests as a stranger may write them.

each<{ name: string; content: string | Uint8Array; code: string }>(
  'P16 parseTemplate() refuses',
  [
    { name: 'more than 1 MiB', content: Buffer.alloc(1_048_577, 'a'), code: 'LIMIT_EXCEEDED' },
    {
      name: 'bytes that are not UTF-8',
      content: Buffer.from([0x61, 0xff, 0x62]),
      code: 'TEMPLATE_INVALID',
    },
    { name: 'an overlong form', content: Buffer.from([0xc0, 0xaf]), code: 'TEMPLATE_INVALID' },
    { name: 'a NUL', content: 'a\0b', code: 'TEMPLATE_INVALID' },
    { name: 'a byte order mark', content: '\ufeff[Unit]', code: 'TEMPLATE_INVALID' },
    { name: 'a lone carriage return', content: 'a\rb', code: 'TEMPLATE_INVALID' },
    {
      name: 'an ELF program',
      content: Buffer.from('7f454c46020101000000', 'hex'),
      code: 'TEMPLATE_INVALID',
    },
  ],
  ({ content, code }) => {
    assert.throws(
      () => parseTemplate('service.template', content),
      (error) => error instanceof OperationalError && error.code === code,
    );
    // The positive control: what reads a file as text takes all of these.
    assert.equal(typeof Buffer.from(content).toString('utf8'), 'string');
  },
);

each(
  'P12 what every JavaScript object has is no variable',
  ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'].map((name) => ({ name })),
  async ({ name }) => {
    const values = valuesOf({});
    const dollar = parseTemplate('x.template', `$${name}`);
    assert.deepEqual(dollar.variables, [name]);
    await assertFails('VARIABLE_MISSING', () => dollar.expand(values));
    await assertFails('VARIABLE_MISSING', () =>
      parseTemplate('x.hbs', `{{${name}}}`).expand(values),
    );
    assert.notEqual(
      substituteNaively(`$${name}`, {}),
      'undefined',
      'the control has no such property',
    );
  },
);

const handlebars = [
  { name: 'a lookup', text: '{{lookup this "constructor"}}' },
  { name: 'a path into an object', text: '{{A.constructor.name}}' },
  { name: 'a path by brackets', text: '{{A.[__proto__]}}' },
  { name: 'a parent', text: '{{#each A}}{{../A}}{{/each}}' },
  { name: 'the root', text: '{{@root.A}}' },
  { name: 'a partial', text: '{{> other}}' },
  { name: 'a partial by name of a variable', text: '{{> (lookup . "A")}}' },
  { name: 'a partial block', text: '{{#> layout}}x{{/layout}}' },
  { name: 'an inline partial, a decorator', text: '{{#*inline "x"}}y{{/inline}}' },
  { name: 'a decorator', text: '{{* foo}}' },
  { name: 'a raw block', text: '{{{{raw}}}}{{A}}{{{{/raw}}}}' },
  { name: 'with', text: '{{#with A}}{{this}}{{/with}}' },
  { name: 'a block of a variable', text: '{{#A}}x{{/A}}' },
  { name: 'an inverted block of a variable', text: '{{^A}}x{{/A}}' },
  { name: 'a helper that there is none of', text: '{{evil A}}' },
  { name: 'a helper of the library', text: '{{log A}}' },
  { name: 'missing hooks of the library', text: '{{helperMissing A}}' },
  { name: 'a hash argument', text: '{{json A x=1}}' },
  { name: 'block parameters', text: '{{#each A as |constructor|}}{{constructor}}{{/each}}' },
  { name: 'undefined', text: '{{json undefined}}' },
  { name: 'too few arguments', text: '{{#if}}x{{/if}}' },
  { name: 'blocks in blocks', text: `${'{{#if A}}'.repeat(20)}x${'{{/if}}'.repeat(20)}` },
];

each('P13 the Handlebars dialect refuses', handlebars, async ({ text }) => {
  await assertFails('TEMPLATE_INVALID', () => parseTemplate('service.hbs', text));
});

each('P13 the library itself takes', handlebars, ({ text }) => {
  assert.equal(typeof Handlebars.precompile(text), 'string');
});

test('P13 loops within loops end at a limit', async () => {
  const list = Array.from({ length: 900 }, (_, index) => String(index));
  const text = '{{#each A}}{{#each B}}x{{this}}{{/each}}{{/each}}';
  await assertFails('TEMPLATE_INVALID', () =>
    parseTemplate('service.hbs', text).expand(valuesOf({ A: list, B: list })),
  );
  await assertFails('TEMPLATE_INVALID', () =>
    parseTemplate('service.hbs', '{{#each A}}x{{/each}}').expand(
      valuesOf({ A: Array.from({ length: 1_001 }, String) }),
    ),
  );
});

test('P13 any text is parsed or refused, with an error that a user can read', () => {
  const pieces = fc.constantFrom(
    '{{',
    '}}',
    '{{{',
    '}}}',
    '#if',
    '/if',
    'A',
    ' ',
    '(',
    ')',
    '"',
    '>',
    '*',
    '&',
    '~',
    '\\',
    '^',
    'else',
    '|',
    '=',
    '.',
    '@',
    '!--',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      try {
        parseTemplate('x.hbs', parts.join('')).expand(valuesOf({ A: 'x' }));
      } catch (error) {
        assert.ok(error instanceof OperationalError, String(error));
        assert.ok(
          error.code === 'TEMPLATE_INVALID' || error.code === 'VARIABLE_MISSING',
          error.code,
        );
        assert.doesNotMatch(error.message, /\n/);
      }
    }),
    { numRuns: 3000 },
  );
});

test('P13 deeply nested sub-expressions do not exhaust the stack', async () => {
  const text = `{{json ${'(json '.repeat(50_000)}A${')'.repeat(50_000)}}}`;
  await assertFails('TEMPLATE_INVALID', () => parseTemplate('x.hbs', text));
});

each<{ name: string; json: string; path: string }>(
  'M37 parseExportsManifest() refuses',
  [
    { name: 'a list', json: '[]', path: 'not an object' },
    { name: 'version 99', json: '{"version":"99"}', path: 'version' },
    { name: 'a list of defaults', json: '{"defaultValues":[]}', path: 'defaultValues' },
    {
      name: 'a default that is an object',
      json: '{"defaultValues":{"A":{}}}',
      path: 'defaultValues.A',
    },
    { name: 'a default of no variable', json: '{"defaultValues":{"A-B":""}}', path: 'A-B' },
    { name: 'a name that is no text', json: '{"renameFiles":{"/a":1}}', path: 'renameFiles./a' },
    {
      name: 'a template that is no text',
      json: '{"installedFilesTemplate":["/a",1]}',
      path: 'installedFilesTemplate[1]',
    },
    { name: 'yes for true', json: '{"noContainerService":"yes"}', path: 'noContainerService' },
    {
      name: 'a variable without declaration',
      json: '{"variables":{"A":"x"}}',
      path: 'variables.A',
    },
    {
      name: 'an unknown type',
      json: '{"variables":{"A":{"type":"uuid"}}}',
      path: 'variables.A.type',
    },
    {
      name: 'a default that its type does not allow',
      json: '{"variables":{"A":{"type":"integer","default":"x"}}}',
      path: 'variables.A.default',
    },
    {
      name: 'a pattern that is none',
      json: '{"variables":{"A":{"pattern":"("}}}',
      path: 'variables.A.pattern',
    },
    {
      name: 'a long pattern',
      json: `{"variables":{"A":{"pattern":"${'a?'.repeat(101)}"}}}`,
      path: 'variables.A.pattern',
    },
    { name: 'units that are none', json: '{"after":["a b"]}', path: 'after' },
    {
      name: 'a NUL in a path',
      json: '{"installedFilesTemplate":["/a\\u0000"]}',
      path: 'installedFilesTemplate',
    },
  ],
  async ({ json, path }) => {
    const error = await assertFails('EXPORTS_INVALID', () => parseExportsManifest(json));
    assert.ok(error.message.includes(path), error.message);
  },
);

test('M37 parseExportsManifest() refuses 100 MiB, and a key that stands twice', async () => {
  await assertFails('LIMIT_EXCEEDED', () => parseExportsManifest(Buffer.alloc(1_048_577, ' ')));
  await assertFails('JSON_INVALID', () =>
    parseExportsManifest('{"defaultValues":{"A":"1","A":"2"}}'),
  );
});

each<{ name: string; source: string; target: string; code?: 'VARIABLE_MISSING' }>(
  'H07 renderRenameFiles() refuses',
  [
    { name: 'a path that leads out', source: '/a', target: '/etc/web/../../etc/x' },
    { name: 'a value that leads out', source: '/a', target: '/etc/$OUT/x' },
    { name: 'a relative path', source: '/a', target: 'etc/x' },
    { name: 'a relative source', source: 'a', target: '/etc/x' },
    { name: 'nothing', source: '/a', target: '' },
    { name: 'the root', source: '/a', target: '//.' },
    { name: 'a newline', source: '/a', target: '/etc/a\nb' },
    {
      name: 'an unknown variable',
      source: '/a',
      target: '/etc/$UNKNOWN',
      code: 'VARIABLE_MISSING',
    },
  ],
  async ({ source, target, code }) => {
    const manifest = parseExportsManifest(JSON.stringify({ renameFiles: { [source]: target } }));
    await assertFails(code ?? 'HOST_PATH_REFUSED', () =>
      renderRenameFiles(manifest, valuesOf({ OUT: '../..' })),
    );
  },
);

test('H08 renderRenameFiles() refuses two files of one name', async () => {
  const manifest = parseExportsManifest('{"renameFiles":{"/a":"/etc/x","/b":"/etc//x"}}');
  await assertFails('HOST_PATH_REFUSED', () => renderRenameFiles(manifest, valuesOf({})));
});

each(
  'P01 renderTmpfiles() refuses',
  [
    { name: 'a second line', text: 'd /run/$V\n', value: 'x\nR /' },
    { name: 'a line of its own', text: '$V\n', value: 'R /' },
    { name: 'a type', text: '$V /run/x\n', value: 'R' },
    { name: 'a backslash in the argument', text: 'f /run/x - - - - $V\n', value: 'a\\nb' },
  ],
  async ({ text, value }) => {
    await assertFails('VALUE_INVALID', () =>
      renderTmpfiles(parseTemplate('tmpfiles.template', text), valuesOf({ V: value })),
    );
    assert.ok(substituteNaively(text, { V: value }).includes(value));
  },
);

test('P01 renderTmpfiles() keeps a value in its field', () => {
  const text = 'd /run/$V 0700 - - - $V\n';
  const render = (value: string): ReturnType<typeof parseTmpfiles> =>
    parseTmpfiles(renderTmpfiles(parseTemplate('tmpfiles.template', text), valuesOf({ V: value })));
  assert.equal(render('x 0777 nobody')[0]?.path, '/run/x 0777 nobody');
  assert.equal(render('x 0777 nobody')[0]?.mode, '0700');
  assert.equal(render(`a"b'c %n`)[0]?.path, `/run/a"b'c %n`);
  // The control: a blank in a value moves all fields behind it.
  assert.equal(parseTmpfiles(substituteNaively(text, { V: 'x 0777 nobody' }))[0]?.mode, '0777');
});

test('P01 renderHostFile() refuses a value that begins a new line', async () => {
  const template = parseTemplate('/etc/web.conf', 'user = $V\n');
  await assertFails('VALUE_INVALID', () =>
    renderHostFile(template, valuesOf({ V: 'x\nadmin = yes' })),
  );
  assert.equal(renderHostFile(template, valuesOf({ V: 'a\tb $V' })), 'user = a\tb $V\n');
});

test('P33 rendering again gives the same text', () => {
  const template = parseTemplate('config.json.template', '{"uuid":"$UUID","a":[$V]}');
  const values = valuesOf({ UUID: 'one', V: '1' });
  assert.deepEqual(template.expand(values), template.expand(values));
});
