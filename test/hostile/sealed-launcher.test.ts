import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';

import { sealedCopy } from '../../src/sys/sealed-copy.js';
import { TempDir } from '../support/temp-dir.js';

/** What a container does with the program that it finds in /proc/PID/exe, once nobody runs it any more. */
function overwrite(path: string): string {
  try {
    const fd = openSync(path, constants.O_WRONLY);
    try {
      writeSync(fd, '#!evil', 0);
      return 'written';
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed';
  }
}

test("C01 CVE-2019-5736 an ordinary user's launcher cannot be written to, not even by its owner", () => {
  const program = '/bin/true';
  const before = readFileSync(program);
  const copy = sealedCopy(program);
  const path = `/proc/self/fd/${copy}`;
  try {
    execFileSync(path, { stdio: ['ignore', 'ignore', 'inherit'] });
    assert.equal(overwrite(path), 'EPERM');
    assert.throws(() => {
      ftruncateSync(copy, 0);
    }, /EPERM/);
    assert.deepEqual(readFileSync(path), before);
  } finally {
    closeSync(copy);
  }
  // A copy with a name can be written to: by whoever owns it, as root of a container of his does.
  using directory = new TempDir();
  copyFileSync(program, `${directory.path}/copy`);
  assert.equal(overwrite(`${directory.path}/copy`), 'written');
});
