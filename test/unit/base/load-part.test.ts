import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { compiledPart, compilePart, loadPart } from '../../../src/base/load-part.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

const PART =
  '(function (exports, require, module, __filename) { exports.twice = (n) => 2 * n; exports.at = __filename; })';

test('a part is given what a module has', () => {
  using dir = new TempDir();
  const file = join(dir.path, 'part.cjs');
  writeFileSync(file, PART);
  const { twice, at } = loadPart(file, 'use') as { twice: (n: number) => number; at: string };
  assert.equal(twice(21), 42);
  assert.equal(at, file);
});

test('what V8 compiled is taken by another process, unless it is of another text or cut off', async () => {
  using dir = new TempDir();
  const file = join(dir.path, 'part.cjs');
  writeFileSync(file, PART);
  const compiled = compilePart(file, 'use').createCachedData();
  const other = join(dir.path, 'other.cjs');
  writeFileSync(other, PART.replace('2 * n', 'n + n + 0'));
  const cut = join(dir.path, 'cut.cjs');
  writeFileSync(cut, PART);
  for (const [path, content] of [
    [file, compiled],
    [other, compiled],
    [cut, compiled.subarray(0, compiled.length / 2)],
  ] as const) {
    writeFileSync(compiledPart(path, 'use'), content);
  }
  const script = `
    const { compilePart, loadPart } = await import(${JSON.stringify(new URL('../../../src/base/load-part.js', import.meta.url))});
    const seen = ${JSON.stringify([file, other, cut])}.map((path) => compilePart(path, 'use').cachedDataRejected);
    seen.push(loadPart(${JSON.stringify(other)}, 'use').twice(21), loadPart(${JSON.stringify(cut)}, 'use').twice(21));
    console.log(JSON.stringify(seen));`;
  const said = await runOk([process.execPath, '--input-type=module', '-e', script]);
  assert.deepEqual(JSON.parse(said), [false, true, true, 42, 42]);
});
