import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseTemplate } from '../../../src/templates/parse-template.js';
import { renderConfig } from '../../../src/templates/render-config.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { valuesOf } from '../../support/template-values.js';

function render(text: string, value: string): unknown {
  const template = parseTemplate('config.json.template', text);
  return JSON.parse(JSON.stringify(renderConfig(template, valuesOf({ V: value })).value));
}

each(
  'renderConfig() takes fragments as published images use them',
  [
    { name: 'nothing after the last item', text: '{"m":[1 $V]}', value: '', want: { m: [1] } },
    {
      name: 'a mount with its comma',
      text: '{"m":[{"a":1}\n$V\n]}',
      value: ',{"b":2}',
      want: { m: [{ a: 1 }, { b: 2 }] },
    },
    {
      name: 'a mount before the others',
      text: '{"m":[$V {"a":1}]}',
      value: '{"b":2},',
      want: { m: [{ b: 2 }, { a: 1 }] },
    },
    {
      name: 'all items of a list',
      text: '{"c":[${V}]}',
      value: '"CAP_A",\n"CAP_B"\n',
      want: { c: ['CAP_A', 'CAP_B'] },
    },
    { name: 'no items of a list', text: '{"c":[${V}]}', value: '', want: { c: [] } },
    { name: 'members', text: '{"a":1 $V}', value: ', "b": {"c": 2}', want: { a: 1, b: { c: 2 } } },
    { name: 'a number', text: '{"port":$V}', value: '80', want: { port: 80 } },
    { name: 'a boolean', text: '{"on": $V}', value: 'true', want: { on: true } },
    {
      name: 'a list of scalars',
      text: '{"args": $V}',
      value: '["a","b"]',
      want: { args: ['a', 'b'] },
    },
    { name: 'a text', text: '{"e":["A=$V"]}', value: 'x"\n\\', want: { e: ['A=x"\n\\'] } },
    {
      name: 'a text that looks like a placeholder',
      text: '{"e":"$V"}',
      value: '${V}$$',
      want: { e: '${V}$$' },
    },
    { name: 'a text after an escaped quote', text: '{"e":"\\"$V"}', value: '"', want: { e: '""' } },
  ],
  ({ text, value, want }) => {
    assert.deepEqual(render(text, value), want);
  },
);

test('renderConfig() gives any text in a string back unchanged', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.deepEqual(render('{"a":["x$V"],"b":1}', value), { a: [`x${value}`], b: 1 });
    }),
  );
});

test('renderConfig() says which values do not fit, and how they would', async () => {
  const error = await assertFails('VALUE_INVALID', () => render('{"m":[1 $V]}', '{"b":2}'));
  assert.match(error.message, /V do not fit into config\.json\.template/);
  assert.match(String(error.hint), /commas/);
});

test('renderConfig() with Handlebars gives typed values', () => {
  const template = parseTemplate('config.json.hbs', '{"args":{{json A}},"b":"{{B}}"}');
  const { value } = renderConfig(template, valuesOf({ A: ['x', 'y"'], B: '"' }));
  assert.deepEqual(JSON.parse(JSON.stringify(value)), { args: ['x', 'y"'], b: '"' });
});
