import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { formatExactJson } from '../../../src/base/format-exact-json.js';
import { parseExactJson } from '../../../src/base/strict-json.js';
import { each } from '../../support/each.js';

const what = 'the document';

each(
  'a whole number that a double cannot hold is written as it was read',
  [
    { name: 'no limit, in 64 bits', text: '18446744073709551615' },
    { name: 'the least of 64 bits', text: '-9223372036854775808' },
    { name: 'one past 2^53', text: '9007199254740993' },
    { name: 'deep', text: '[\n  {\n    "a": 18446744073709551615\n  }\n]' },
  ],
  ({ text }) => {
    assert.equal(formatExactJson(parseExactJson(text, { what })), `${text}\n`);
  },
);

test('formatExactJson() writes all else as JSON.stringify() does', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.equal(
        formatExactJson(parseExactJson(text, { what })),
        `${JSON.stringify(JSON.parse(text), null, 2)}\n`,
      );
    }),
  );
});
