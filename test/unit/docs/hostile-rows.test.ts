import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const TESTS = new URL('../../../../test/', import.meta.url);

test('the table of hostile rows names tests that have them in a title', () => {
  const table = readFileSync(new URL('hostile/README.md', TESTS), 'utf8');
  const rows = [...table.matchAll(/^\| ([A-Z]\d\d) \| [^|]+ \| (.*) \|$/gm)];
  assert.ok(rows.length >= 60, 'the table is there');
  for (const [, row = '', tests = ''] of rows) {
    for (const [, file = '', mark] of tests.matchAll(/`([^`]+)`( \*)?/g)) {
      const path = new URL(file, TESTS);
      assert.ok(existsSync(path), `${row}: there is no ${file}`);
      if (mark === undefined)
        assert.match(readFileSync(path, 'utf8'), new RegExp(`\\b${row}\\b`), `${row}: ${file}`);
    }
  }
});
