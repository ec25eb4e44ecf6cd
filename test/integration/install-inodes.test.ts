import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { pushExports } from '../support/exports-image.js';
import { assertRefusedInJson, snapshotChanging } from '../support/refused.js';
import { startRegistry } from '../support/registry.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

test('F02 a file system without inodes is told; with some again, the same command succeeds', async () => {
  await using registry = await startRegistry();
  await using host = await bootHost({
    suite: 'bookworm',
    varDisk: { type: 'tmpfs', sizeMb: 256, options: 'nr_inodes=6000' },
  });
  await host.network.exposePort(registry.port);
  await pushExports(registry.target('tiny'));
  const reference = `${registry.host}/tiny:latest`;
  assert.equal((await host.berth('pull', reference)).status, 0);
  await host.sh(
    'mkdir /var/ballast; i=0; while true 2>/dev/null >/var/ballast/$i; do i=$((i+1)); done || true',
  );
  await host.sh('rm /var/ballast/0 /var/ballast/1 /var/ballast/2 /var/ballast/3 /var/ballast/4');
  const earlier = await snapshotChanging(host);
  const refused = await host.berth('install', '--json', reference);
  assertRefusedInJson(refused, { status: 73, code: 'DISK_FULL', says: /space|full/i });
  assert.deepEqual(compareSnapshots(earlier, await snapshotChanging(host)), []);
  await host.runOk(['rm', '-rf', '/var/ballast']);
  const installed = await host.berth('install', reference);
  assert.equal(installed.status, 0, installed.stderr);
});
