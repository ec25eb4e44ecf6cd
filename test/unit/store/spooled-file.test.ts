import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { SpooledFile } from '../../../src/store/ostree/spooled-file.js';
import { TempArea } from '../../../src/store/temp-area.js';
import { runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

const HEADER = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

test('a file that does not fit onto the disk leaves nothing open, and no name', async () => {
  using dir = new TempDir();
  await runOk(['mount', '-t', 'tmpfs', '-o', 'size=4k', 'full', dir.path]);
  try {
    using area = new TempArea(dir.path);
    const other = new SpooledFile(area, HEADER);
    other[Symbol.dispose]();
    writeFileSync(`${dir.path}/other`, Buffer.alloc(4096));
    const before = openFiles();
    for (let times = 0; times < 20; times += 1)
      assert.throws(() => new SpooledFile(area, HEADER), { code: 'ENOSPC' });
    assert.equal(openFiles(), before);
    assert.deepEqual(readdirSync(area.path), []);
  } finally {
    await runOk(['umount', '--lazy', dir.path]);
  }
});
