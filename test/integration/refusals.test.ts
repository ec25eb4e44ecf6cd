import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk, assertRefused, type ExpectedRefusal } from '../support/command-asserts.js';
import { pushDebianImage } from '../support/debian-image.js';
import { pushProbeService, pushStockProbe } from '../support/probe-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// What cannot be done is one clear line with the right status, and the host is exactly as before.

interface Refusal extends ExpectedRefusal {
  readonly name: string;
  /** Makes the circumstances; what it changes on the host belongs to "before". */
  readonly given?: (host: BootedHost, registry: RealRegistry) => Promise<unknown>;
  readonly args: (registry: RealRegistry) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Locks are never taken away, or two could hold one; and blobs that were fetched and verified may be used again. */
const BOOKKEEPING = ['var/lib/berth/.store', 'var/lib/berth/.locks'];

const refusals: readonly Refusal[] = [
  {
    name: 'an image that the registry has not',
    args: (registry) => [registry.reference('nothing-here')],
    status: 66,
    matching: /nothing-here/,
  },
  {
    name: 'a tag that the registry has not',
    args: (registry) => [registry.reference('plain', 'v9')],
    status: 66,
    matching: /v9/,
  },
  {
    name: 'a registry that refuses the connection',
    args: () => ['127.0.0.1:1/etcd'],
    status: 75,
    matching: /127\.0\.0\.1:1/,
  },
  {
    name: 'a reference that is none',
    args: () => ['UPPER//case'],
    status: 64,
    matching: /UPPER/,
  },
  {
    name: 'a name that is none',
    args: (registry) => ['--name', '../etc', registry.reference('plain')],
    status: 64,
    matching: /\.\.\/etc/,
  },
  {
    name: 'a unit that is masked',
    given: (host) => host.runOk(['systemctl', 'mask', 'masked.service']),
    args: (registry) => ['--name', 'masked', registry.reference('plain')],
    status: 73,
    matching: /masked\.service is masked[^]*systemctl unmask masked\.service/,
  },
  {
    name: 'a unit of that name that is not ours',
    given: (host) =>
      writeFile(host.outside('/etc/systemd/system/mine.service'), '[Service]\nExecStart=true\n'),
    args: (registry) => ['--name', 'mine', registry.reference('plain')],
    status: 73,
    matching: /mine\.service/,
  },
  {
    name: 'a name that another image has',
    given: async (host, registry) =>
      assertOk(await host.berth('install', '--name', 'taken', registry.reference('plain'))),
    args: (registry) => ['--name', 'taken', registry.reference('other')],
    status: 73,
    matching: /taken[^]*(berth uninstall|berth update)/,
  },
  {
    name: 'variables without a value, all of them at once',
    args: (registry) => [registry.reference('wanting')],
    status: 64,
    matching: /FIRST_THING[^]*SECOND_THING/,
  },
  {
    name: 'a template that makes broken JSON',
    args: (registry) => [registry.reference('broken-json')],
    status: 65,
    matching: /config\.json/,
  },
  {
    name: 'a unit that systemd would not run',
    args: (registry) => [registry.reference('no-exec')],
    status: 65,
    matching: /ExecStart/,
  },
  {
    name: 'a value that smuggles a directive into the unit',
    args: (registry) => [
      '--set',
      'DESCRIPTION=x\nExecStartPre=/bin/touch /etc/owned',
      registry.reference('plain'),
    ],
    status: 64,
    matching: /DESCRIPTION/,
  },
  {
    name: 'a host file in a guarded place',
    args: (registry) => [registry.reference('greedy')],
    status: 65,
    matching: /sudoers\.d[^]*--allow-host-path/,
  },
  {
    name: 'a host file where another stands',
    given: (host) => writeFile(host.outside('/etc/settled.conf'), 'mine\n'),
    args: (registry) => [registry.reference('settling')],
    status: 73,
    matching: /\/etc\/settled\.conf/,
  },
  {
    name: 'no launcher',
    env: { BERTH_LAUNCHER: '/nowhere/launch' },
    args: (registry) => [registry.reference('plain')],
    status: 69,
    matching: /\/nowhere\/launch/,
  },
];

async function pushCases(registry: RealRegistry): Promise<void> {
  const stock = { Entrypoint: ['/probe', 'deaf'] };
  await pushStockProbe(registry.target('plain'), stock);
  await pushStockProbe(registry.target('other'), { ...stock, Env: ['OTHER=1'] });
  const args = ['deaf'];
  await pushProbeService(registry.target('wanting'), {
    args,
    service: ['Environment=A=$FIRST_THING', 'Environment=B=$SECOND_THING'],
  });
  await pushProbeService(registry.target('broken-json'), {
    args,
    exports: { 'config.json.template': '{ "ociVersion": "1.0.2", "process": { "args": [}' },
  });
  await pushProbeService(registry.target('no-exec'), {
    args,
    exports: { 'service.template': '[Service]\nExecStart=no/absolute/path\nExecStart\n' },
  });
  await pushProbeService(registry.target('greedy'), {
    args,
    exports: { 'hostfs/etc/sudoers.d/all': 'ALL ALL=(ALL) NOPASSWD: ALL\n' },
  });
  await pushProbeService(registry.target('settling'), {
    args,
    exports: { 'hostfs/etc/settled.conf': 'the image’s\n' },
  });
}

test('a refusal is one clear line and changes nothing', async (t) => {
  await using registry = await startRegistry();
  await pushCases(registry);
  await using host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
  // The first installation makes the store; afterwards it is there, empty or not.
  assertOk(await host.berth('install', '--name', 'first', registry.reference('plain')));
  assertOk(await host.berth('uninstall', 'first'));
  for (const refusal of refusals) {
    await t.test(refusal.name, async () => {
      await refusal.given?.(host, registry);
      const before = await host.snapshot({ except: BOOKKEEPING });
      const result = await host.run(
        ['node', '/opt/berth/dist/bin/berth.cjs', 'install', '--system', ...refusal.args(registry)],
        refusal.env === undefined ? {} : { env: refusal.env },
      );
      assertRefused(result, refusal);
      const after = await host.snapshot({ except: BOOKKEEPING });
      assert.deepEqual(compareSnapshots(before, after), []);
    });
  }
});

test('without a system bus nothing is installed, and it says so', async () => {
  await using registry = await startRegistry();
  await pushCases(registry);
  await using host = await bootHost({ suite: 'trixie', withoutBus: true });
  await host.network.exposePort(registry.port);
  await host.sh('rm -f /run/systemd/private /run/dbus/system_bus_socket');
  const before = await host.snapshot({ except: BOOKKEEPING });
  assertRefused(await host.berth('install', '--system', registry.reference('plain')), {
    status: 69,
    matching: /bus|systemd/,
  });
  const after = await host.snapshot({ except: BOOKKEEPING });
  assert.deepEqual(exceptFolder(compareSnapshots(before, after)), []);
});

test('a full disk is said, and nothing of the image stays', async () => {
  await using registry = await startRegistry();
  await pushDebianImage(registry.target('etcd'), 'etcd');
  await pushStockProbe(registry.target('plain'), { Entrypoint: ['/probe', 'deaf'] });
  await using host = await bootHost({
    suite: 'trixie',
    // Room for the journal and the probe; not for etcd.
    varDisk: { type: 'tmpfs', sizeMb: 48 },
  });
  await host.network.exposePort(registry.port);
  assertOk(await host.berth('install', '--system', registry.reference('plain')));
  const before = await host.snapshot({ except: BOOKKEEPING });
  assertRefused(await host.berth('install', '--system', registry.reference('etcd')), {
    status: 73,
    matching: /space/,
  });
  const after = await host.snapshot({ except: BOOKKEEPING });
  assert.deepEqual(compareSnapshots(before, after), []);
  // What was half there did not keep its space: the small one can go and come again.
  assertOk(await host.berth('uninstall', 'plain'));
  assertOk(await host.berth('install', '--system', registry.reference('plain')));
});

test('a /var that is mounted noexec is told, and no obstacle to a launcher that is elsewhere', async () => {
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('plain'), { Entrypoint: ['/probe', 'deaf'] });
  await using host = await bootHost({
    suite: 'trixie',
    varDisk: { type: 'ext4', sizeMb: 128, options: 'noexec' },
  });
  await host.network.exposePort(registry.port);
  const before = await host.snapshot({ except: BOOKKEEPING });
  const arguments_ = ['install', '--system', '--start', registry.reference('plain')];
  assertRefused(await host.berth(...arguments_), { status: 69, matching: /noexec/ });
  assert.deepEqual(
    exceptFolder(compareSnapshots(before, await host.snapshot({ except: BOOKKEEPING }))),
    [],
  );

  await host.sh('install -D /opt/berth/dist/launcher/launch /usr/libexec/berth/launch-1');
  assertOk(await host.berth(...arguments_));
  await host.waitFor('plain.service', { ActiveState: 'active', SubState: 'running' });
});

test('a tree that is not running is installed into, and boots with what was put there', async () => {
  await using registry = await startRegistry();
  await pushStockProbe(registry.target('plain'), { Entrypoint: ['/probe', 'deaf'] });
  await using host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
  await mkdir(join(host.root, 'srv/tree'));
  await host.sh(
    'cp -a /etc /usr /srv/tree/ 2>/dev/null; mkdir -p /srv/tree/var/lib; for link in bin lib lib64 sbin; do ln -s usr/$link /srv/tree/$link; done',
  );
  assertOk(await host.berth('install', '--root', '/srv/tree', registry.reference('plain')));
  const wants = 'etc/systemd/system/multi-user.target.wants/plain.service';
  assert.match(await host.sh(`readlink /srv/tree/${wants}`), /plain\.service/);
  const running = await host.run(['systemctl', 'is-enabled', 'plain.service']);
  assert.notEqual(running.status, 0, 'it was installed on the running host');
  assert.match(await host.sh('cat /srv/tree/etc/systemd/system/plain.service'), /^ExecStart=\S/m);
});

/** The differences but for berth's own folder, which the first attempt of all makes. */
function exceptFolder(differences: readonly string[]): readonly string[] {
  return differences.filter((line) => !line.includes('/var/lib/berth: folder'));
}
