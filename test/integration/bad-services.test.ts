import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';

// What comes of an update to a service of each bad kind: the version before runs again, and the bad one is not tried again.

let registry: RealRegistry;
let host: BootedHost;

/** A file system type that no kernel has: the mount fails at once. */
const MOUNT = '[Mount]\nWhat=none\nWhere=/mnt/missing\nType=nosuchtype\n';

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
  await host.runOk(['sh', '-c', 'cat >/etc/systemd/system/mnt-missing.mount'], { input: MOUNT });
  await host.sh('systemctl daemon-reload');
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

interface Service {
  readonly name: string;
  /** Arguments of the probe. */
  readonly args: readonly string[];
  readonly unit?: readonly string[];
  readonly service?: readonly string[];
  /** What berth says of it. */
  readonly says: RegExp;
  /** When the failure is known at the latest, by the service's own times, in seconds. */
  readonly knownAfter: number;
}

async function push(repository: string, version: string, what: Partial<Service>): Promise<string> {
  const { digest } = await pushExports(registry.target(repository), {
    files: {
      'service.template': [
        ...['[Unit]', 'Description=Test of $NAME', ...(what.unit ?? [])],
        ...['[Service]', 'ExecStart=$EXEC_START', `Environment=VERSION=${version}`],
        ...(what.service ?? ['Type=notify', 'NotifyAccess=all']),
        ...['[Install]', 'WantedBy=multi-user.target', ''],
      ].join('\n'),
      'config.json.template': configTemplate({
        process: {
          user: { uid: 0, gid: 0 },
          args: ['/probe', ...(what.args ?? ['ready'])],
          env: [`VERSION=${version}`],
          cwd: '/',
        },
      }),
    },
    comment: version,
  });
  return digest;
}

const NOTIFY = ['Type=notify', 'NotifyAccess=all'];

/** A way back takes no longer than this once it is known that it is needed. */
const BACK_WITHIN_SECONDS = 10;

const rows: readonly Service[] = [
  {
    name: 'exits at once',
    args: ['exit', '1'],
    service: ['Restart=no'],
    says: /exit-code|status/,
    knownAfter: 1,
  },
  {
    name: 'exits after five seconds',
    args: ['later', '5', '1'],
    service: ['Restart=no'],
    says: /exit-code|status/,
    knownAfter: 6,
  },
  {
    name: 'hangs in its start',
    args: ['later', '1000', '0'],
    service: [...NOTIFY, 'TimeoutStartSec=2'],
    says: /timeout/,
    knownAfter: 4,
  },
  {
    name: 'ignores SIGTERM, and is not ready',
    args: ['stubborn'],
    service: [...NOTIFY, 'TimeoutStartSec=2', 'TimeoutStopSec=4'],
    says: /timeout/,
    knownAfter: 8,
  },
  {
    name: 'forks and leaves',
    args: ['orphan'],
    service: ['Restart=no'],
    says: /way/,
    knownAfter: 2,
  },
  {
    name: 'is started too often',
    args: ['exit', '1'],
    unit: ['StartLimitIntervalSec=60', 'StartLimitBurst=2'],
    service: ['Restart=always', 'RestartSec=100ms'],
    says: /way/,
    knownAfter: 3,
  },
  {
    name: 'needs a mount that fails',
    args: ['ready'],
    unit: ['Requires=mnt-missing.mount', 'After=mnt-missing.mount'],
    says: /dependency/,
    knownAfter: 2,
  },
];

async function pidOf(name: string): Promise<string> {
  return (await host.unit(`${name}.service`))['MainPID'] ?? '';
}

for (const [index, row] of rows.entries()) {
  test(`update() goes back from a service that ${row.name}`, async () => {
    // Installing takes what the store has under a name, which would be the bad one of the row before.
    const repository = `way-${index}`;
    const reference = registry.reference(repository);
    await push(repository, 'good', {});
    assertOk(await host.berth('install', '--start', '--name', 'way', reference));
    try {
      const bad = await push(repository, 'bad', row);
      const started = performance.now();
      const failed = await host.berth('update', '--allow-new-permissions', 'way');
      const seconds = (performance.now() - started) / 1000;
      assert.equal(failed.status, 79, failed.stderr);
      assert.match(failed.stderr, row.says);
      assert.ok(
        seconds < row.knownAfter + BACK_WITHIN_SECONDS,
        `it took ${seconds} s, the failure is known after ${row.knownAfter} s`,
      );
      assert.equal((await host.sh('readlink /var/lib/berth/way')).trim(), 'way.0');
      const unit = await host.unit('way.service');
      assert.equal(unit['ActiveState'], 'active');
      assert.match(unit['Environment'] ?? '', /good/, 'the unit of the version before');
      assert.equal(unit['NeedDaemonReload'], 'no');
      assert.match(assertOk(await host.berth('history', 'way')).stdout, new RegExp(bad));
      const pid = await pidOf('way');
      const again = assertOk(await host.berth('update', '--json', 'way'));
      assert.match(again.stdout, /"rejected"/);
      assert.equal(await pidOf('way'), pid, 'it was not touched again');
    } finally {
      assertOk(await host.berth('uninstall', '--purge', 'way'));
    }
  });
}

test('update() goes on to a service that starts', async () => {
  const reference = registry.reference('way');
  await push('way', 'one', {});
  assertOk(await host.berth('install', '--start', '--name', 'way', reference));
  await push('way', 'two', { args: ['ready'] });
  assertOk(await host.berth('update', 'way'));
  const unit = await host.unit('way.service');
  assert.deepEqual([unit['ActiveState'], unit['Environment']], ['active', 'VERSION=two']);
  assertOk(await host.berth('uninstall', '--purge', 'way'));
});

test('a service that fails right after it was started is not told as active', async () => {
  const exits = (status: string, service: readonly string[] = []): Partial<Service> => ({
    args: ['exit', status],
    service: ['Restart=no', ...service],
  });
  await push('brief', 'bad', exits('1'));
  const failed = await host.berth(
    ...['install', '--start', '--name', 'brief', registry.reference('brief')],
  );
  assert.equal(failed.status, 1, failed.stderr);
  assert.doesNotMatch(failed.stdout, /is active/);
  assert.match(failed.stderr, /brief\.service is installed, but did not stay up/);
  assert.match(failed.stderr, /it failed \(result 'exit-code', its program ended with status 1\)/);
  const again = await host.berth('start', '--json', 'brief', 'brief', 'missing');
  assert.equal(again.status, 66, again.stderr);
  assert.deepEqual(JSON.parse(again.stdout), []);
  assert.match(again.stderr, /'brief' did not stay up/);
  const restarted = await host.berth('restart', 'brief');
  assert.deepEqual([restarted.status, restarted.stdout], [1, '']);
  assertOk(await host.berth('uninstall', '--purge', 'brief'));
  await push('short', 'good', exits('0'));
  const args = ['install', '--start', '--name', 'brief', registry.reference('short')];
  assert.match(
    assertOk(await host.berth(...args)).stdout,
    /brief\.service is not active: its work/,
  );
  assert.equal(assertOk(await host.berth('start', 'brief')).stdout, 'brief started\n');
  assertOk(await host.berth('uninstall', '--purge', 'brief'));
});
