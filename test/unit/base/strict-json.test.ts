import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseStrictJson } from '../../../src/base/strict-json.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const what = 'the document';

each(
  'parseStrictJson() refuses',
  [
    { name: 'M04 a key twice', text: '{"a":1,"a":2}' },
    { name: 'M04 a key twice, deep', text: '[{"x":{"a":1,"\\u0061":2}}]' },
    { name: 'M08 100,000 nested arrays', text: '['.repeat(100_000) },
    { name: 'M08 a million keys', text: `[${'0,'.repeat(1_000_000)}0]` },
    { name: 'M07 1e400', text: '{"size":1e400}' },
    { name: 'M11 text after the document', text: '{} {}' },
    { name: 'M11 a NUL after the document', text: '{}\u0000' },
    { name: 'a byte order mark', text: '\ufeff{}' },
    { name: 'a trailing comma', text: '[1,]' },
    { name: 'a leading zero', text: '01' },
    { name: 'a raw newline in a string', text: '"a\nb"' },
    { name: 'a comment', text: '{}//' },
    { name: 'nothing', text: '' },
  ],
  async ({ text }) => {
    await assertFails('JSON_INVALID', () => parseStrictJson(text, { what }));
  },
);

test('parseStrictJson() refuses bytes that are not UTF-8', async () => {
  await assertFails('JSON_INVALID', () =>
    parseStrictJson(Buffer.from([0x22, 0xff, 0x22]), { what }),
  );
});

test('parseStrictJson() refuses M05 keys that differ only in case, if told so', async () => {
  const text = '{"layers":[],"Layers":[]}';
  await assertFails('JSON_INVALID', () => parseStrictJson(text, { what, refuseCaseTwins: true }));
  assert.ok(parseStrictJson(text, { what }));
});

test('parseStrictJson() keeps M06 __proto__ as plain data', () => {
  const value = parseStrictJson('{"__proto__":{"polluted":true},"constructor":1}', { what });
  assert.deepEqual(Object.keys(value as object), ['__proto__', 'constructor']);
  assert.equal((value as Record<string, unknown>)['polluted'], undefined);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('parseStrictJson() agrees with JSON.parse on what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.equal(
        JSON.stringify(parseStrictJson(text, { what })),
        JSON.stringify(JSON.parse(text)),
      );
    }),
  );
});
