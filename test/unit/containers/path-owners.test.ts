import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { formatDeployment, type DeployedFile } from '../../../src/containers/deployment.js';
import type { Host } from '../../../src/containers/host.js';
import { beginJournal } from '../../../src/containers/journal.js';
import { pathsThatStay, planWithOwners } from '../../../src/containers/path-owners.js';
import { uninstallEntry } from '../../../src/containers/uninstall-entry.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

const SHARED: DeployedFile = {
  role: 'host-file',
  path: '/etc/shared.conf',
  kind: 'file',
  sha256: 'a'.repeat(64),
  mode: 0o644,
  source: 'host/etc/shared.conf',
};

function install(host: Host, name: string): ReturnType<typeof deploymentRecord> {
  const state = host.paths.onDisk(host.paths.stateDir);
  mkdirSync(`${state}/${name}.0`, { recursive: true });
  const deployment = deploymentRecord({ name, files: [SHARED] });
  writeFileSync(`${state}/${name}.0/deployment.json`, formatDeployment(deployment));
  symlinkSync(`${name}.0`, `${state}/${name}`);
  return deployment;
}

test('pathsThatStay() leaves out what goes at the same time, and nothing of those that stay', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  install(host, 'one');
  const two = install(host, 'two');
  assert.deepEqual(await pathsThatStay(host, 'one'), new Set(['/etc/shared.conf']));
  await beginJournal(host.paths, await uninstallEntry(host, two, { purge: false }));
  assert.deepEqual(
    await pathsThatStay(host, 'one'),
    new Set(),
    'each of the two would leave the file to the other',
  );
  install(host, 'three');
  assert.deepEqual(await pathsThatStay(host, 'one'), new Set(['/etc/shared.conf']));
  // What cannot be read speaks for nobody.
  writeFileSync(`${dir.path}/var/lib/berth/.journal/three.json`, '{');
  assert.deepEqual(await pathsThatStay(host, 'one'), new Set(['/etc/shared.conf']));
});

test('planWithOwners() plans again where a container came meanwhile that has what was of nobody', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  const owners: (string | undefined)[] = [];
  const plan = (ownerOf: (path: string) => string | undefined): Promise<string | undefined> => {
    const owner = ownerOf('/etc/shared.conf');
    owners.push(owner);
    if (owners.length === 1) install(host, 'other');
    return Promise.resolve(owner);
  };
  assert.equal(await planWithOwners(host, 'web', plan), 'other');
  assert.deepEqual(owners, [undefined, 'other']);
  // Others that have nothing of it are no reason to.
  let plans = 0;
  await planWithOwners(host, 'web', (ownerOf) => {
    plans += 1;
    install(host, 'third');
    return Promise.resolve(ownerOf('/etc/mine.conf'));
  });
  assert.equal(plans, 1);
});
