import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushDebianImage } from '../support/debian-image.js';
import { messageIds } from '../support/host-journal.js';
import { startRegistry } from '../support/registry.js';
import { suites } from '../support/suites.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// What berth is for: etcd runs as a container before flanneld, and flanneld before docker, from the next boot on.

const containers = ['etcd', 'flanneld', 'docker'] as const;

for (const suite of suites) {
  test(`after a reboot etcd runs before flanneld and flanneld before docker: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    for (const name of containers) await pushDebianImage(registry.target(name), name);
    await using host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    const before = await host.snapshot();

    await t.test('installs them from a registry', async () => {
      assertOk(await install(host, registry.reference('etcd'), ['--start']));
      const config = '{ "Network": "10.42.0.0/16" }';
      await host.runOk(['etcdctl', 'put', '/atomic.io/network/config', config]);
      assertOk(await install(host, registry.reference('flanneld')));
      assertOk(await install(host, registry.reference('docker')));
      // Nothing needs the registry any more.
      await registry[Symbol.asyncDispose]();
    });

    await t.test('boots them in order', async () => {
      await host.reboot();
      for (const name of containers) {
        await host.waitFor(`${name}.service`, { ActiveState: 'active', SubState: 'running' });
      }
      const [etcd, flanneld, docker] = await Promise.all([
        startOf(host, 'etcd'),
        startOf(host, 'flanneld'),
        startOf(host, 'docker'),
      ]);
      assert.ok(etcd.started < flanneld.starting, 'flanneld was started before etcd was ready');
      assert.ok(flanneld.started < docker.starting, 'docker was started before flanneld was ready');
      assert.equal(etcd.bootId, docker.bootId);
      assert.equal(etcd.bootId, flanneld.bootId);
      assert.match(await host.sh('ip -brief -4 address show docker0'), /10\.42\.1\.1\/24/);
      assert.match(
        await host.sh('cat /run/flanneld/subnet.env'),
        /FLANNEL_SUBNET=10\.42\.1\.1\/24/,
      );
      assert.match(await host.sh('systemctl --failed --no-legend; echo end'), /^end$/m);
    });

    await t.test('keeps their logs under their units', async () => {
      const messages = (await host.journal('flanneld.service'))
        .filter((entry) => entry.unit === 'flanneld.service')
        .map((entry) => entry.message);
      assert.ok(messages.includes('took subnet 10.42.1.0/24'), messages.join('\n'));
    });

    await t.test('uninstalls them and leaves the host as it was', async () => {
      assertOk(await host.berth('uninstall', '--purge', 'docker', 'flanneld', 'etcd'));
      // Images stay in the store until they are deleted; that, and nothing else, is left.
      const after = await host.snapshot({ except: ['var/lib/berth'] });
      assert.deepEqual(compareSnapshots(before, after), []);
      const left = (await host.sh('ls -A /var/lib/berth')).trim().split('\n');
      assert.deepEqual(
        left.filter((name) => !name.startsWith('.')),
        [],
      );
      const listed = await host.sh(
        'systemctl list-unit-files --no-legend "etcd*" "flanneld*" "docker*" || true',
      );
      assert.equal(listed, '');
    });
  });
}

async function install(
  host: BootedHost,
  reference: string,
  options: readonly string[] = [],
): ReturnType<BootedHost['berth']> {
  return host.berth('install', '--system', ...options, reference);
}

/** When systemd began to start a unit in this boot, and when it was started, in microseconds. */
async function startOf(
  host: BootedHost,
  name: string,
): Promise<{ starting: number; started: number; bootId: string }> {
  const entries = (await host.journal(`${name}.service`)).filter(
    (entry) => entry.aboutUnit === `${name}.service`,
  );
  const starting = entries.find((entry) => entry.messageId === messageIds.unitStarting);
  const started = entries.find((entry) => entry.messageId === messageIds.unitStarted);
  assert.ok(starting !== undefined && started !== undefined, `${name} was not started`);
  return {
    starting: starting.monotonicUs,
    started: started.monotonicUs,
    bootId: started.bootId,
  };
}
