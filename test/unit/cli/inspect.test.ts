import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ownProgram } from '../../../src/base/own-files.js';
import { Layout } from '../../support/layout.js';
import { runCommand } from '../../support/run-command.js';

const PROGRAM = ownProgram();

test('inspect shows every word of lists', async () => {
  using layout = new Layout();
  const image = layout.addImage('latest', 'amd64', {
    Entrypoint: ['/probe', 'deaf'],
    Cmd: ['--one', '--two'],
  });
  layout.finish([image]);
  const { status, stdout } = await runCommand([
    ...[process.execPath, PROGRAM, 'inspect', `oci:${layout.path}:latest`],
  ]);
  assert.equal(status, 0);
  assert.match(stdout, /^Entrypoint: +\/probe deaf$/m);
  assert.match(stdout, /^Command: +--one --two$/m);
});
