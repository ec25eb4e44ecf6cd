import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { projectRoot } from '../support/cache-folder.js';
import { putProgramInto } from '../support/machine-berth.js';
import { onMachine } from '../support/on-machine.js';
import { runOk } from '../support/run-command.js';

const CASES = '/opt/berth/dist/test/contract/systemd-scopes.js';

/** Time for the cases in emulation, where Node takes ten times as long. */
const CASES_TIMEOUT_MS = 240_000;

test('scopes hold containers on a booted host', async () => {
  await using host = await bootHost({ suite: 'trixie' });
  const run = await host.run(['node', '--test', CASES]);
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  assert.match(run.stdout, /^# pass 8$/m);
});

test('limits of version 2 take hold on a whole machine', async () => {
  const prepare = async (tree: string): Promise<void> => {
    await putProgramInto(tree);
    await runOk(['cp', '-r', join(projectRoot, 'dist/test'), join(tree, 'opt/berth/dist/test')]);
  };
  await onMachine({ suite: 'trixie', prepare }, async (machine) => {
    const run = await machine.run(`node ${CASES}`, CASES_TIMEOUT_MS);
    assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
    assert.doesNotMatch(run.stdout, /there are no controllers/);
  });
});
