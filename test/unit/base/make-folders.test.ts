import assert from 'node:assert/strict';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { makeFolders } from '../../../src/base/make-folders.js';
import { TempDir } from '../../support/temp-dir.js';

test('makeFolders() makes what is missing and leaves what is there', async () => {
  using dir = new TempDir();
  const path = join(dir.path, 'a/b/c');
  await makeFolders(path, 0o700);
  await makeFolders(path, 0o755);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(dir.path, 'a')).mode & 0o777, 0o700);
});

test('makeFolders() says what stands in the way', async () => {
  using dir = new TempDir();
  writeFileSync(join(dir.path, 'file'), '');
  symlinkSync('nowhere', join(dir.path, 'link'));
  await assert.rejects(makeFolders(join(dir.path, 'file')), { code: 'EEXIST' });
  await assert.rejects(makeFolders(join(dir.path, 'file/below')), { code: 'ENOTDIR' });
  await assert.rejects(makeFolders(join(dir.path, 'link/below')), { code: 'ENOENT' });
});
