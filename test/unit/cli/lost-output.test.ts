import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';

import { spawnSync } from 'node:child_process';

import { ownProgram } from '../../../src/base/own-files.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

each(
  'output that does not fit is told, and no success',
  [
    {
      name: 'help',
      args: ['--help'],
      text: /cannot write to standard output\n {2}because: write: no space/,
    },
    {
      name: 'help of a command',
      args: ['list', '--help'],
      text: /cannot write to standard output/,
    },
    { name: 'a result', args: ['list'], text: /cannot write to standard output/ },
    { name: 'a document', args: ['list', '--json'], text: /^\{"error":\{"code":"DISK_FULL",/ },
  ],
  ({ args, text }) => {
    using root = new TempDir();
    const full = openSync('/dev/full', 'w');
    try {
      const { status, stderr } = spawnSync(
        process.execPath,
        [ownProgram(), ...args, ...(args[0] === 'list' ? ['--root', root.path] : [])],
        { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' },
      );
      assert.deepEqual([status, text.test(stderr)], [73, true], stderr);
    } finally {
      closeSync(full);
    }
  },
);
