import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { test } from 'node:test';

import { openProcess, signalProcess } from '../../../src/sys/descriptors.js';
import { openInRoot } from '../../../src/sys/open-in-root.js';

test('signalProcess() signals a process, whatever was called before, until it is gone', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const held = openProcess(child.pid ?? 0);
  const root = openSync('/', 'r');
  try {
    // Its last argument is where this call has the size of a struct: one that is not passed is what was there before.
    closeSync(openInRoot(root, 'etc', { flags: constants.O_RDONLY | constants.O_DIRECTORY }));
    signalProcess(held, 0);
    signalProcess(held, 9);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.throws(
      () => {
        signalProcess(held, 9);
      },
      { code: 'ESRCH' },
    );
  } finally {
    closeSync(root);
    closeSync(held);
  }
});
