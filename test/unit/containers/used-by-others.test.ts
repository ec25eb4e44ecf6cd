import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { formatDeployment } from '../../../src/containers/deployment.js';
import { findUsedByOthers } from '../../../src/containers/used-by-others.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

function install(
  root: string,
  name: string,
  uses: { createdPaths?: readonly string[]; hostMounts?: readonly string[] },
): void {
  const state = `${root}/var/lib/berth`;
  mkdirSync(`${state}/${name}.0`, { recursive: true });
  symlinkSync(`${name}.0`, `${state}/${name}`);
  const record = formatDeployment(
    deploymentRecord({
      name,
      createdPaths: uses.createdPaths ?? [],
      permissions: {
        ...deploymentRecord({ name }).permissions,
        hostMounts: uses.hostMounts ?? [],
      },
    }),
  );
  writeFileSync(`${state}/${name}.0/deployment.json`, record);
}

test('findUsedByOthers() knows what other containers bind or had made, and what lies above it', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  install(dir.path, 'flanneld', { createdPaths: ['/run/flannel', '/var/lib/mine'] });
  install(dir.path, 'docker', {
    hostMounts: ['/run/flannel at /run/flannel, read-only', '/srv/a/b at /data'],
    createdPaths: ['/var/lib/docker/x'],
  });
  const isUsed = await findUsedByOthers(host, 'flanneld');
  const asked = [
    '/run/flannel',
    '/srv/a',
    '/srv/a/b',
    '/var/lib/docker',
    '/run/flan',
    '/srv/a/b/c',
  ];
  assert.deepEqual(asked.filter(isUsed), ['/run/flannel', '/srv/a', '/srv/a/b', '/var/lib/docker']);
  assert.ok(!isUsed('/var/lib/mine'), 'what is its own');
});
