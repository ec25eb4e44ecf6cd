import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushExports } from '../support/exports-image.js';
import { writeForerunner } from '../support/forerunner.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// A service that atomic installed keeps running while it becomes berth's, moves over with its first update, and goes.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const UNIT = `[Unit]
Description=Container of the forerunner

[Service]
ExecStart=DIR/rootfs/sleep infinity
WorkingDirectory=DIR

[Install]
WantedBy=multi-user.target
`;

test('a running container of atomic’s is adopted, updated and uninstalled', async () => {
  const reference = registry.reference('old');
  await pushExports(registry.target('old'), { files: { 'hostfs/etc/old.conf': 'new\n' } });
  await assertBerth('pull', reference);
  await host.sh('rm -rf /var/lib/containers');
  const pristine = await snapshotChanging(host);

  const directory = writeForerunner(host.root, {
    name: 'old',
    image: reference,
    unit: UNIT,
    tmpfiles: 'd /run/old 0755 - - -\n',
    hostFiles: { '/etc/old.conf': 'old\n' },
  });
  copyFileSync(`${host.root}/usr/bin/sleep`, `${host.root}${directory}/rootfs/sleep`);
  await host.sh('systemctl daemon-reload; systemctl enable --now old.service');
  const { MainPID: pid, InvocationID: invocation } = await host.waitFor('old.service', {
    ActiveState: 'active',
  });

  await assertBerth('adopt', '--all');
  await assertBerth('adopt', 'old');
  const now = await host.unit('old.service');
  assert.deepEqual([now['MainPID'], now['InvocationID']], [pid, invocation]);
  assert.match(await assertBerth('list'), /^old +active +enabled/m);
  assert.match(await assertBerth('verify'), /^old\.0: as installed\n/);
  assert.match(await assertBerth('status', 'old'), /active/);
  await assertBerth('stop', 'old');
  await assertBerth('start', 'old');

  await assertBerth('update', 'old');
  await host.waitFor('old.service', { ActiveState: 'active' });
  assert.match(await assertBerth('verify', 'old'), /^old\.1: as installed\n/);
  assert.equal(await host.sh('cat /etc/old.conf'), 'new\n');
  await host.sh(`test -d ${directory}`);

  // Back to what atomic installed, and forth again: its directory is kept as long as its deployment is.
  await assertBerth('rollback', '--no-wait', 'old');
  assert.equal(await host.sh('cat /etc/old.conf'), 'old\n');
  assert.match((await host.unit('old.service'))['ExecStart'] ?? '', /rootfs\/sleep/);
  await assertBerth('rollback', '--no-wait', 'old');

  await assertBerth('uninstall', '--purge', 'old');
  await host.sh('rmdir /var/lib/containers/atomic /var/lib/containers');
  assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
});

test('an update of an adopted container that is not well goes back to what atomic installed', async () => {
  const reference = registry.reference('bad');
  await pushExports(registry.target('bad'), {
    files: {
      'service.template':
        '[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n',
    },
  });
  const directory = writeForerunner(host.root, { name: 'bad', image: reference, unit: UNIT });
  copyFileSync(`${host.root}/usr/bin/sleep`, `${host.root}${directory}/rootfs/sleep`);
  await host.sh('systemctl daemon-reload; systemctl enable --now bad.service');
  await assertBerth('adopt', 'bad');
  // Its unit runs a program of the host.
  const result = await host.berth('update', '-y', 'bad');
  assert.equal(result.status, 79, result.stderr);
  await host.waitFor('bad.service', { ActiveState: 'active' });
  assert.match((await host.unit('bad.service'))['ExecStart'] ?? '', /rootfs\/sleep/);
  assert.match(await assertBerth('verify', 'bad'), /^bad\.0: as installed\n/);
  await assertBerth('uninstall', 'bad');
});

async function assertBerth(...args: readonly string[]): Promise<string> {
  return assertOk(await host.berth(...args)).stdout;
}
