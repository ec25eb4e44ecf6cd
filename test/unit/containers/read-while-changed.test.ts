import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import {
  findContainer,
  listContainerNames,
  loadDeployment,
  readNameLink,
} from '../../../src/containers/container-directory.js';
import type { HostPaths } from '../../../src/config/host-paths.js';
import { formatDeployment } from '../../../src/containers/deployment.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { pathsInFolder } from '../../support/host-tree-paths.js';
import { TempDir } from '../../support/temp-dir.js';

// I14: readers take no lock, and a container that is taken away and installed again meanwhile is never shown as damaged.

/** Uninstalls and installs, as quick as the disk does it: link away, folder away; folder there, link there. */
const CHANGING = `
  const { workerData } = require('node:worker_threads');
  const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    unlinkSync(workerData + '/web');
    renameSync(workerData + '/web.0', workerData + '/.trash-web.0');
    Atomics.wait(pause, 0, 0, 1);
    renameSync(workerData + '/.trash-web.0', workerData + '/web.0');
    symlinkSync('web.0', workerData + '/web');
    Atomics.wait(pause, 0, 0, 1);
  }`;

/** Looks until there were so many, or for as long as it takes to see one fail. */
async function lookAgainAndAgain(
  looks: number,
  look: (paths: HostPaths) => Promise<unknown>,
): Promise<unknown> {
  using folder = new TempDir();
  const paths = pathsInFolder(folder.path);
  const state = paths.onDisk(paths.stateDir);
  mkdirSync(join(state, 'web.0'), { recursive: true });
  const record = formatDeployment(deploymentRecord({ name: 'web' }));
  writeFileSync(join(state, 'web.0/deployment.json'), record);
  symlinkSync('web.0', join(state, 'web'));
  const worker = new Worker(CHANGING, { eval: true, workerData: state });
  try {
    for (let count = 0; count < looks; count++) await look(paths);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await worker.terminate();
  }
}

test('a container that comes and goes is there or not, and never damaged', async () => {
  let found = 0;
  const error = await lookAgainAndAgain(4000, async (paths) => {
    for (const name of await listContainerNames(paths))
      if ((await findContainer(paths, name)) !== undefined) found += 1;
  });
  assert.equal(error, undefined);
  assert.ok(found > 0, 'it was never there');
});

test('control: one look at the link and one at what it leads to does not do', async () => {
  const error = await lookAgainAndAgain(200_000, async (paths) => {
    const target = await readNameLink(paths, 'web');
    if (target !== undefined) await loadDeployment(paths, target);
  });
  assert.match(String(error), /deployment\.json' is missing/);
});
