import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OperationalError } from '../../src/errors/operational-error.js';
import { parseTemplate } from '../../src/templates/parse-template.js';
import { parsePlainConfig, renderConfig } from '../../src/templates/render-config.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { substituteNaively } from '../support/naive-substitution.js';
import { valuesOf } from '../support/template-values.js';

// Values that try to add members or items to a config.json.

each<{ name: string; text: string; value: string; want: unknown }>(
  'P08 renderConfig() keeps inside its string',
  [
    {
      name: 'a member',
      text: '{"a":"$V"}',
      value: 'x","privileged":true,"b":"',
      want: { a: 'x","privileged":true,"b":"' },
    },
    {
      name: 'an item',
      text: '{"e":["A=$V"]}',
      value: '1","LD_PRELOAD=/x',
      want: { e: ['A=1","LD_PRELOAD=/x'] },
    },
    {
      name: 'the end of the document',
      text: '{"a":{"b":"$V"}}',
      value: '"}},{"c":"',
      want: { a: { b: '"}},{"c":"' } },
    },
  ],
  ({ text, value, want }) => {
    const render = (): unknown =>
      renderConfig(parseTemplate('config.json.template', text), valuesOf({ V: value })).value;
    assert.deepEqual(JSON.parse(JSON.stringify(render())), want);
    let naive: unknown;
    try {
      naive = JSON.parse(substituteNaively(text, { V: value }));
    } catch {
      naive = 'broken';
    }
    assert.notDeepEqual(naive, want);
  },
);

const outside = [
  {
    name: 'P09 a member in the place of a number',
    text: '{"port": $V}',
    value: '1, "privileged": true',
    naiveParses: true,
  },
  {
    name: 'P09 an object in the place of a number',
    text: '{"port": $V}',
    value: '{"x":1}',
    naiveParses: true,
  },
  {
    name: 'P09 objects in the place of a list',
    text: '{"args": $V}',
    value: '[{"x":1}]',
    naiveParses: true,
  },
  {
    name: 'P09 nothing in the place of a number',
    text: '{"port": $V}',
    value: '',
    naiveParses: false,
  },
  {
    name: 'P09 text in the place of a number',
    text: '{"port": $V}',
    value: 'eighty',
    naiveParses: false,
  },
  {
    name: 'P08 an item that closes its list',
    text: '{"m":[1 $V],"z":1}',
    value: '],"hooks":[1',
    naiveParses: true,
  },
  {
    name: 'P08 a member that closes its object',
    text: '{"a":{"b":1 $V}}',
    value: '},"hooks":{"x":1',
    naiveParses: true,
  },
  {
    name: 'P08 the end of the document',
    text: '{"m":[1 $V]}',
    value: ']} {"x":[1',
    naiveParses: false,
  },
  { name: 'P08 half an item', text: '{"m":[1 $V "x"]}', value: ', {"a":', naiveParses: false },
  {
    name: 'P08 an item without its comma',
    text: '{"m":[1 $V]}',
    value: '{"b":2}',
    naiveParses: false,
  },
  { name: 'P08 a member twice', text: '{"a":1 $V}', value: ', "a": 2', naiveParses: true },
  {
    name: 'P08 a member twice by an escape',
    text: '{"ab":1 $V}',
    value: ', "\\u0061b": 2',
    naiveParses: true,
  },
  {
    name: 'P09 digits that join those of the template',
    text: '{"port": 80$V}',
    value: '80',
    naiveParses: true,
  },
  { name: 'P08 items before the document', text: '$V{"a":1}', value: '1', naiveParses: false },
  { name: 'P08 an unbalanced quote', text: '{"m":[$V]}', value: '"', naiveParses: false },
];

each('renderConfig() refuses outside of a string', outside, async ({ text, value }) => {
  const error = await assertFails('VALUE_INVALID', () =>
    renderConfig(parseTemplate('config.json.template', text), valuesOf({ V: value })),
  );
  assert.match(error.message, /\bV\b/);
});

each(
  'P08 P09 naive substitution gives a valid document for',
  outside.filter(({ naiveParses }) => naiveParses),
  ({ text, value }) => {
    JSON.parse(substituteNaively(text, { V: value }));
  },
);

each(
  'renderConfig() refuses a template',
  [
    { name: 'that is no JSON', text: '{"a":}', code: 'JSON_INVALID' },
    { name: 'that is a list', text: '[]', code: 'JSON_INVALID' },
    { name: 'with a backslash before a variable', text: '{"a":"\\$V"}', code: 'TEMPLATE_INVALID' },
  ],
  ({ text, code }) => {
    assert.throws(
      () => renderConfig(parseTemplate('config.json.template', text), valuesOf({ V: 'x' })),
      (error) => error instanceof OperationalError && error.code === code,
    );
  },
);

test('P27 annotations that a runtime takes orders from are left out, the document is kept otherwise', () => {
  const orders = {
    'org.systemd.property.ExecStartPre': "'/bin/touch /x'",
    'run.oci.delegate-cgroup': '../..',
    'run.oci.hooks.stdout': '/etc/passwd',
    'io.kubernetes.cri-o.LinkLogs': 'x',
  };
  const harmless = { 'org.opencontainers.image.stopSignal': 'SIGQUIT', 'berth.init': 'true' };
  const source = JSON.stringify({ a: 1, annotations: { ...orders, ...harmless } });
  for (const rendered of [
    parsePlainConfig(source),
    renderConfig(parseTemplate('config.json.template', source), valuesOf({})),
  ]) {
    assert.deepEqual(JSON.parse(rendered.text), { a: 1, annotations: harmless });
    assert.deepEqual(JSON.parse(JSON.stringify(rendered.value)), JSON.parse(rendered.text));
    assert.deepEqual(rendered.droppedAnnotations, Object.keys(orders));
  }
  const plain = '{ "annotations": { "berth.init": "true" } }';
  assert.equal(parsePlainConfig(plain).text, plain);
});
