import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { ownFile } from '../../src/base/own-files.js';

/** Fails if the program as it ships is not of the code that was compiled last: what is run is what is to be tested. */
export function assertFreshProgram(): void {
  const code = ownFile('dist/src');
  const built = statSync(ownFile('dist/bin/.built'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newer = readdirSync(code, { recursive: true, encoding: 'utf8' }).find(
    (name) => name.endsWith('.js') && statSync(join(code, name)).mtimeMs > built,
  );
  assert.equal(newer, undefined, `dist/bin is older than dist/src/${newer ?? ''}: npm run build`);
}
