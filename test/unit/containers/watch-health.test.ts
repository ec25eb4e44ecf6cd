import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DEFAULT_HEALTH_CHECK } from '../../../src/containers/health-check.js';
import { watchHealth } from '../../../src/containers/watch-health.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost } from '../../support/folder-host.js';
import { runningManager } from '../../support/running-manager.js';
import { TempDir } from '../../support/temp-dir.js';

test('what another runtime runs is watched without its check, and that is said', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path, runningManager(dir.path, ['web.service']));
  const deployment = deploymentRecord({
    name: 'web',
    units: ['web.service'],
    runtime: '/usr/bin/crun',
    health: { ...DEFAULT_HEALTH_CHECK, command: ['/bin/false'], soakMs: 10 },
  });
  const signal = new AbortController().signal;
  assert.deepEqual(await watchHealth(host, deployment, { dependents: [], signal }), {
    healthy: true,
  });
  assert.match(host.events.map(({ text }) => text).join(), /check of 'web' is not run/);
});

test('a service that its socket starts may rest', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path, runningManager(dir.path, ['web.socket']));
  const deployment = deploymentRecord({ name: 'web', units: ['web.service', 'web.socket'] });
  const signal = new AbortController().signal;
  const watched = { dependents: [], signal };
  // At once: there is nothing to watch.
  assert.deepEqual(
    await watchHealth(host, deployment, { ...watched, activators: ['web.socket'] }),
    {
      healthy: true,
    },
  );
  const down = await watchHealth(host, deployment, { ...watched, activators: ['web.timer'] });
  assert.ok(!down.healthy);
  assert.match(down.reason, /web\.timer, which starts web\.service, is inactive/);
  const alone = await watchHealth(host, deployment, watched);
  assert.ok(!alone.healthy, 'one that nothing starts has to run');
});
