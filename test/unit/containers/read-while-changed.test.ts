import assert from 'node:assert/strict';
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import {
  findContainer,
  listContainerNames,
  loadDeployment,
  readNameLink,
} from '../../../src/containers/container-directory.js';
import type { HostPaths } from '../../../src/config/host-paths.js';
import { getContainerStatuses } from '../../../src/containers/container-status.js';
import { isStillThere, readRecord } from '../../../src/containers/deployment-records.js';
import { formatDeployment } from '../../../src/containers/deployment.js';
import { verifyAll } from '../../../src/containers/verify/verify-container.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { folderHost } from '../../support/folder-host.js';
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

test('what is said of all containers leaves out those that go meanwhile', async () => {
  using folder = new TempDir();
  await using host = folderHost(folder.path);
  const state = host.paths.onDisk(host.paths.stateDir);
  mkdirSync(join(state, 'web.0'), { recursive: true });
  const record = formatDeployment(deploymentRecord({ name: 'web', rootfs: '/srv' }));
  writeFileSync(join(state, 'web.0/deployment.json'), record);
  const comeAndGo = "fs.symlinkSync('web.0', data); fs.unlinkSync(data);";
  let seen = 0;
  await doMeanwhile(comeAndGo, join(state, 'web'), async () => {
    for (let look = 0; look < 3000; look += 1) {
      for (const { ok } of await verifyAll(host)) {
        assert.ok(ok);
        seen += 1;
      }
      seen += (await getContainerStatuses(host, undefined)).length;
    }
  });
  assert.ok(seen > 0, 'it was never there');
});

test('isStillThere() knows a deployment from one that was made in its place', () => {
  using folder = new TempDir();
  const paths = pathsInFolder(folder.path);
  const file = join(paths.onDisk(paths.stateDir), 'web.0/deployment.json');
  mkdirSync(dirname(file), { recursive: true });
  const write = (): void => {
    writeFileSync(`${file}.new`, formatDeployment(deploymentRecord({ name: 'web', rootfs: '/r' })));
    renameSync(`${file}.new`, file);
  };
  write();
  const deployment = readRecord(paths, 'web.0');
  assert.ok(isStillThere(paths, deployment));
  write();
  assert.ok(!isStillThere(paths, deployment));
  assert.ok(isStillThere(paths, readRecord(paths, 'web.0')));
  unlinkSync(file);
  assert.ok(!isStillThere(paths, deployment));
});

test('control: one look at the link and one at what it leads to does not do', async () => {
  const error = await lookAgainAndAgain(200_000, async (paths) => {
    const target = await readNameLink(paths, 'web');
    if (target !== undefined) await loadDeployment(paths, target);
  });
  assert.match(String(error), /deployment\.json' is missing/);
});
