import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseTemplate } from '../../../src/templates/parse-template.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { valuesOf } from '../../support/template-values.js';

function substitute(text: string, values: Record<string, string>): string {
  return parseTemplate('x.template', text)
    .expand(valuesOf(values))
    .map((part) => (part.kind === 'text' ? part.text : part.value.text))
    .join('');
}

each(
  'parseTemplate() substitutes as Python does',
  [
    { name: 'a plain name', text: 'a $NAME b', want: 'a etcd b' },
    { name: 'a name in braces', text: '${NAME}ctl', want: 'etcdctl' },
    { name: 'a doubled dollar', text: '$$NAME $$$NAME', want: '$NAME $etcd' },
    { name: 'a name up to the first other character', text: '$NAME.service', want: 'etcd.service' },
    { name: 'lower case and digits', text: '$x1_y', want: '1' },
    // The ASCII flag of `idpattern`: without it IGNORECASE would let U+0131 match `i`.
    { name: 'a name that ends at a letter beyond ASCII', text: '$xı', want: '2ı' },
    { name: 'no value twice', text: '$DOLLAR', want: '${NAME}' },
    { name: 'Windows line ends', text: 'a\r\n$NAME\r\n', want: 'a\netcd\n' },
    { name: 'nothing', text: '', want: '' },
  ],
  ({ text, want }) => {
    assert.equal(substitute(text, { NAME: 'etcd', x1_y: '1', x: '2', DOLLAR: '${NAME}' }), want);
  },
);

each(
  'parseTemplate() refuses P11',
  [
    { name: 'a dollar before a blank', text: 'ab$ c', at: 'line 1, col 3' },
    { name: 'a dollar at the end', text: 'a\nb$', at: 'line 2, col 2' },
    { name: 'an open brace', text: '${NAME', at: 'line 1, col 1' },
    { name: 'empty braces', text: '${}', at: 'line 1, col 1' },
    { name: 'a digit', text: 'x\n\n $1', at: 'line 3, col 2' },
    { name: 'a blank in braces', text: '${A B}', at: 'line 1, col 1' },
    { name: 'a name beyond ASCII', text: '$ñ', at: 'line 1, col 1' },
  ],
  async ({ text, at }) => {
    const error = await assertFails('TEMPLATE_INVALID', () => parseTemplate('x.template', text));
    assert.match(error.message, new RegExp(`\\(${at}\\)$`));
  },
);

test('parseTemplate() lists each variable once, in order of first use', () => {
  assert.deepEqual(parseTemplate('x.template', '$B ${A} $$C $B').variables, ['B', 'A']);
});

test('parseTemplate() gives any text back that has no dollar sign', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!/[\u0000-\u0008\u000b-\u001f\u007f\ufeff\ufdd0-\ufddf]/.test(text));
      assert.equal(substitute(text.replaceAll('$', '$$$$'), {}), text);
    }),
  );
});
