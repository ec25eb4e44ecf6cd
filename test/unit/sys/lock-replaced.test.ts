import assert from 'node:assert/strict';
import fs, { renameSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { mock, test } from 'node:test';

import { tryLock } from '../../../src/sys/lock-file.js';
import { TempDir } from '../../support/temp-dir.js';

// In a file of its own: a process asks each device once whether its locks keep others out.
test('a lock file that is replaced as soon as it is locked is not taken for a file system without locks', () => {
  using dir = new TempDir();
  const path = `${dir.path}/lock`;
  writeFileSync(`${path}.new`, '');
  const open = fs.openSync;
  let opened = 0;
  const opening = mock.method(fs, 'openSync', (...call: Parameters<typeof open>) => {
    const isLock = call[0] === path || String(call[0]).startsWith('/proc/self/fd/');
    if (isLock && ++opened === 2) renameSync(`${path}.new`, path);
    return open(...call);
  });
  syncBuiltinESMExports();
  try {
    using lock = tryLock(path, 'exclusive');
    assert.ok(lock !== undefined);
  } finally {
    opening.mock.restore();
    syncBuiltinESMExports();
  }
  assert.equal(opened, 2, 'nobody asked whether locks keep others out');
});
