import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadValuesFile, parseValues } from '../../../src/containers/values-file.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

each(
  'parseValues() reads',
  [
    { name: 'lines', text: '# comment\n\nA=1\nB=x=y z\n', want: { A: '1', B: 'x=y z' } },
    { name: 'lines of DOS', text: 'A=1\r\nB=2\r\n', want: { A: '1', B: '2' } },
    { name: 'an empty value', text: 'A=', want: { A: '' } },
    {
      name: 'JSON',
      text: '{"A": "x\\ny", "B": 2, "C": true}',
      want: { A: 'x\ny', B: '2', C: 'true' },
    },
    { name: 'nothing', text: '', want: {} },
  ],
  ({ text, want }) => {
    assert.deepEqual(Object.fromEntries(parseValues(Buffer.from(text), 'the file')), want);
  },
);

each(
  'parseValues() refuses',
  [
    { name: 'a line without =', text: 'A', code: 'VALUE_INVALID' as const },
    { name: 'a list in JSON', text: '{"A": []}', code: 'VALUE_INVALID' as const },
    { name: 'a key twice in JSON', text: '{"A": "1", "A": "2"}', code: 'JSON_INVALID' as const },
  ],
  async ({ text, code }) => {
    await assertFails(code, () => parseValues(Buffer.from(text), 'the file'));
  },
);

test('loadValuesFile() says that a file is not there', async () => {
  await assertFails('USAGE', () => loadValuesFile('/nonexistent/values'));
});
