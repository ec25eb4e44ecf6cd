import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { StorageKind } from '../../src/store/image-store.js';
import { writeAtomicRepository } from '../support/atomic-repository.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { pushDebianImage } from '../support/debian-image.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { messageIds } from '../support/host-journal.js';
import { addLibostree } from '../support/ostree-on-host.js';
import { probeProgram } from '../support/probe-program.js';
import { startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { type Suite, suites } from '../support/suites.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// What berth is for: etcd runs as a container before flanneld, and flanneld before docker, from the next boot on.

const containers = ['etcd', 'flanneld', 'docker'] as const;

const runs: readonly { readonly suite: Suite; readonly storage: StorageKind }[] = [
  ...suites.map((suite) => ({ suite, storage: 'embedded' }) as const),
  // In the repository that atomic left, chosen because the host was booted from it; the suites' libraries have tests of their own.
  { suite: 'trixie', storage: 'ostree' },
];

/** What the initramfs of an OSTree-booted host leaves. */
const OSTREE_BOOTED = 'f /run/ostree-booted\n';

/** On such a host, a repository that no checkout can be linked from is not chosen. */
const REPOSITORY_ELSEWHERE =
  'mkdir -p /ostree/repo && mount -t tmpfs none /ostree/repo && mkdir /ostree/repo/objects && touch /ostree/repo/config';

for (const { suite, storage } of runs) {
  const isOstree = storage === 'ostree';
  test(`after a reboot etcd runs before flanneld and flanneld before docker: ${suite}, ${storage}`, async (t) => {
    await using registry = await startRegistry();
    for (const name of containers) await pushDebianImage(registry.target(name), name);
    await using host = await bootHost({
      suite,
      prepare: async (tree) => {
        if (suite === 'trixie') writeFileSync(`${tree}/etc/tmpfiles.d/ostree.conf`, OSTREE_BOOTED);
        if (!isOstree) return;
        await addLibostree(tree, suite);
        await leaveByAtomic(`${tree}/ostree/repo`, 'first');
      },
    });
    await host.network.exposePort(registry.port);
    if (suite === 'trixie' && !isOstree) await host.sh(REPOSITORY_ELSEWHERE);
    const except = ['var/lib/berth', 'ostree'];
    const before = await host.snapshot({ except });

    await t.test('installs them from a registry', async () => {
      const install = (reference: string, ...options: readonly string[]) =>
        host.berth('install', '--system', ...options, reference);
      assertOk(await install(registry.reference('etcd'), '--start'));
      const config = '{ "Network": "10.42.0.0/16" }';
      await host.runOk(['etcdctl', 'put', '/atomic.io/network/config', config]);
      assertOk(await install(registry.reference('flanneld')));
      assertOk(await install(registry.reference('docker')));
      for (const name of containers) assert.equal(await storageOf(host, name), storage);
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

    if (isOstree) {
      await t.test('installs and updates what atomic left in the repository', async () => {
        const repository = `${host.root}/ostree/repo`;
        const image = 'ostree:example.com/left:1';
        assertOk(await host.berth('install', '--system', '--start', image));
        await host.waitFor('left.service', { ActiveState: 'active' });
        const version = () => host.sh('cat /var/lib/berth/left/rootfs/version');
        assert.equal(await version(), 'first');
        await leaveByAtomic(repository, 'second');
        assertOk(await host.berth('update', '--no-wait', 'left'));
        await host.waitFor('left.service', { ActiveState: 'active' });
        assert.equal(await version(), 'second');
        assert.equal(await storageOf(host, 'left'), storage);
        assertOk(await host.berth('verify', 'left', ...containers));
        assertOk(await host.berth('uninstall', '--purge', 'left'));
        await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
      });
    }

    await t.test('uninstalls them and leaves the host as it was', async () => {
      assertOk(await host.berth('uninstall', '--purge', 'docker', 'flanneld', 'etcd'));
      // Images stay in the store until they are deleted; that, and nothing else, is left.
      const after = await host.snapshot({ except });
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

/** Puts an image into a repository as atomic did. */
async function leaveByAtomic(repository: string, version: string): Promise<void> {
  const layer = [
    { path: 'exports/' },
    { path: 'exports/service.template', content: SERVICE_TEMPLATE },
    {
      path: 'exports/config.json.template',
      content: configTemplate({
        process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'sleep', '1000000'], cwd: '/' },
      }),
    },
    { path: 'proc/' },
    { path: 'probe', content: readFileSync(probeProgram()), mode: 0o755 },
    { path: 'version', content: version },
  ];
  const name = { name: 'example.com/left:1', ref: 'example.com_2Fleft_3A1' };
  await writeAtomicRepository(repository, [{ ...name, layers: [layer] }]);
}

async function storageOf(host: BootedHost, name: string): Promise<string> {
  const deployment = await host.sh(`cat /var/lib/berth/${name}/deployment.json`);
  return (JSON.parse(deployment) as { readonly storage: string }).storage;
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
