import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parsePlainYaml } from '../../../src/base/plain-yaml.js';
import { OperationalError } from '../../../src/errors/operational-error.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

/** With ordinary prototypes, for comparing. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const OPENSCAP = `type: scanner
scanner_name: openscap
image_name: registry.example/rhel7/openscap
custom_args: ['-v', '/etc/oscapd:/etc/oscapd:ro']
scans: [ 
      { name: cve,
        args: ['oscapd-evaluate', 'chroots-in-dir:///scanin',  '--output', '/scanout', '-j1'],
        description: "Performs a CVE scan. !WARNING! It's old"},  # the one that is usual
      { name: standards, args: [ -j1 , --targets ], description: ""
      }
]
    `;

each(
  'parsePlainYaml() reads',
  [
    {
      name: 'what atomic brought for openscap',
      text: OPENSCAP,
      want: {
        type: 'scanner',
        scanner_name: 'openscap',
        image_name: 'registry.example/rhel7/openscap',
        custom_args: ['-v', '/etc/oscapd:/etc/oscapd:ro'],
        scans: [
          {
            name: 'cve',
            args: ['oscapd-evaluate', 'chroots-in-dir:///scanin', '--output', '/scanout', '-j1'],
            description: "Performs a CVE scan. !WARNING! It's old",
          },
          { name: 'standards', args: ['-j1', '--targets'], description: '' },
        ],
      },
    },
    {
      name: 'lists and mappings by indentation',
      text: "---\n# all of it\nscans:\n- name: a\n  args:\n    - one # first\n    - 'it''s'\n- name: b\nempty:\nlast: x # y\n",
      want: {
        scans: [{ name: 'a', args: ['one', "it's"] }, { name: 'b' }],
        empty: '',
        last: 'x',
      },
    },
    { name: 'JSON', text: '{"a": ["b", {"c": "\\"d\\n"}]}', want: { a: ['b', { c: '"d\n' }] } },
    {
      name: 'scalars as texts',
      text: 'a: no\nb: 1.10\nc: http://x/y#z\n',
      want: { a: 'no', b: '1.10', c: 'http://x/y#z' },
    },
    { name: 'lists in lists', text: '- - a\n  - b\n-\n  c: d\n', want: [['a', 'b'], { c: 'd' }] },
    { name: 'nothing', text: '# only a comment\n', want: '' },
    {
      name: 'a key that objects have of their own',
      text: '__proto__: x',
      want: JSON.parse('{"__proto__": "x"}') as unknown,
    },
  ],
  ({ text, want }) => {
    assert.deepEqual(plain(parsePlainYaml(text, 'it')), want);
  },
);

each(
  'parsePlainYaml() refuses',
  [
    { name: 'an alias', text: 'a: &x b\nc: *x\n', line: 1 },
    { name: 'a tag', text: 'a: b\nc: !!python/object d', line: 2 },
    { name: 'a block of text', text: 'a: |\n  b\n', line: 1 },
    { name: 'a key twice', text: 'a: b\na: c', line: 2 },
    { name: 'a key twice in brackets', text: '{a: b, a: c}', line: 1 },
    { name: 'two documents', text: 'a: b\n---\nc: d\n', line: 2 },
    { name: 'a bracket that is not closed', text: 'a: [b,\n c\n', line: 1 },
    { name: 'a quote that is not closed', text: 'a: "b\n', line: 1 },
    { name: 'something behind a value', text: 'a: "b" c', line: 1 },
    { name: 'a tab that indents', text: 'a:\n\tb: c', line: 2 },
    { name: 'an indentation out of the blue', text: 'a: b\n  c: d', line: 2 },
    { name: 'depth in brackets', text: '['.repeat(5_000), line: 1 },
    { name: 'depth by dashes', text: '- '.repeat(5_000), line: 1 },
    { name: 'a colon in a text', text: 'a: b: c', line: 1 },
  ],
  async ({ text, line }) => {
    const error = await assertFails('CONFIG_INVALID', () => parsePlainYaml(text, 'it'));
    assert.match(error.message, new RegExp(`^it: line ${line}: `));
  },
);

test('parsePlainYaml() reads any JSON of texts, and fails in words only', () => {
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      tie('text'),
      fc.array(tie('json')),
      fc.dictionary(tie('text') as fc.Arbitrary<string>, tie('json')),
    ),
    text: fc.string({ unit: fc.constantFrom(...Array.from('ab :#,[]{}-"\'\\/')) }),
  }));
  fc.assert(
    fc.property(json, (value) => {
      assert.deepEqual(plain(parsePlainYaml(JSON.stringify(value), 'it')), plain(value));
    }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from('ab:\n #,[]{}-"\'|& ')) }),
      (text) => {
        try {
          parsePlainYaml(text, 'it');
        } catch (error) {
          assert.ok(error instanceof OperationalError, String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
