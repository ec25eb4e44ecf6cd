import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { configTemplate, pushExports, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { compareSnapshots } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';
import { superviseOn } from '../torture/on-booted-host.js';

// What a real systemd can refuse or fail at: the command says so in one line, and the host is as before or as after.

let registry: RealRegistry;
let host: BootedHost;
let plain: string;
let slow: string;
let late: string;

/** The service of `late` starts once this is there. */
const GATE = '/run/late-may-start';

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
  plain = registry.reference('plain');
  slow = registry.reference('slow');
  await pushExports(registry.target('plain'));
  // It never says that it is ready.
  await pushExports(registry.target('slow'), {
    files: {
      'service.template':
        '[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=60\nExecStart=$EXEC_START\n[Install]\nWantedBy=multi-user.target\n',
      'config.json.template': configTemplate(),
    },
  });
  late = registry.reference('late');
  await pushExports(registry.target('late'), {
    files: {
      'service.template': SERVICE_TEMPLATE.replace(
        '[Service]',
        `[Service]\nExecStartPre=/bin/sh -c 'until [ -e ${GATE} ]; do sleep 0.1; done'`,
      ),
    },
  });
  for (const reference of [plain, slow, late]) assertOk(await host.berth('pull', reference));
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('uninstall() finds out that /etc is read-only before it stops anything', async () => {
  assertOk(await host.berth('install', '--start', '--name', 'web', plain));
  const { MainPID: pid } = await host.unit('web.service');
  await host.sh('mount --bind /etc /etc && mount -o remount,bind,ro /etc');
  try {
    const refused = await host.berth('uninstall', 'web');
    assert.equal(refused.status, 71, refused.stderr);
    assert.match(
      refused.stderr,
      /is on a file system that is read-only, so that '.*' cannot be removed$/m,
    );
    assert.equal(refused.stderr.match(/because/g)?.length, 1, refused.stderr);
    assert.equal((await host.unit('web.service'))['MainPID'], pid, 'it was stopped');
  } finally {
    await host.sh('umount /etc');
  }
  assertOk(await host.berth('verify', 'web'));
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

function assertFailed(result: CommandResult, says: RegExp): void {
  assert.ok([1, 69, 71, 75].includes(result.status), `${result.status}: ${result.stderr}`);
  assert.match(result.stderr, /^berth: cannot \w+ '\w+'/m);
  assert.doesNotMatch(result.stderr, /internal error|^ {4}at /m);
  assert.match(result.stderr, says);
}

async function waitForJob(unit: string): Promise<void> {
  await host.waitFor(unit, { ActiveState: 'activating' });
}

test('a reload that systemd refuses is told, and taken back once it reloads again', async () => {
  // From 253 on, systemd limits how often it is told to reload.
  await host.sh(`
    mkdir -p /etc/systemd/system.conf.d
    printf '[Manager]\\nReloadLimitIntervalSec=1h\\nReloadLimitBurst=1\\n' >/etc/systemd/system.conf.d/limit.conf
    systemctl daemon-reexec
    systemctl daemon-reload || true`);
  const before = new Map(
    [...(await snapshotChanging(host))].filter(([path]) => !path.includes('system.conf.d')),
  );
  assertFailed(await host.berth('install', '--name', 'web', plain), /Reload failed/);
  await host.sh('rm -r /etc/systemd/system.conf.d');
  await host.reboot();
  // Taking back needs a reload, too, and was left to the next command.
  assertOk(await host.berth('recover'));
  assert.deepEqual(compareSnapshots(before, await snapshotChanging(host)), []);
  assertOk(await host.berth('install', '--name', 'web', plain));
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

test('a start job that is canceled is told, and what is installed stays', async () => {
  const starting = host.berth('install', '--start', '--name', 'web', slow);
  await waitForJob('web.service');
  await host.sh('systemctl stop web.service');
  assertFailed(await starting, /cancell?ed|stopped/i);
  assertOk(await host.berth('install', '--name', 'web', slow));
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

test('a job that takes longer than it may is told, and what is installed stays', async () => {
  await host.sh(`
    mkdir -p /run/systemd/system/web.service.d
    printf '[Unit]\\nJobRunningTimeoutSec=2\\n' >/run/systemd/system/web.service.d/timeout.conf`);
  assertFailed(await host.berth('install', '--start', '--name', 'web', slow), /time/);
  await host.sh('rm -r /run/systemd/system/web.service.d');
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

test('a unit that a new version requires and that fails is told, and the version before runs', async () => {
  assertOk(await host.berth('install', '--start', '--name', 'web', plain));
  await host.sh(`
    printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n' >/run/systemd/system/bad.service
    mkdir -p /run/systemd/system/web.service.d
    printf '[Unit]\\nRequires=bad.service\\nAfter=bad.service\\n' >/run/systemd/system/web.service.d/bad.conf
    systemctl daemon-reload`);
  const failed = await host.berth('update', '--rebase', slow, 'web');
  assert.notEqual(failed.status, 0, failed.stderr);
  assert.match(failed.stderr, /a unit that it requires failed/);
  await host.sh('rm -r /run/systemd/system/web.service.d; systemctl daemon-reload');
  assert.match((await host.berth('history', 'web')).stdout, /^0 +current /m);
  assertOk(await host.berth('start', 'web'));
  assert.match((await host.berth('verify', 'web')).stdout, /as installed/);
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

test('a systemd that executes itself anew during a job ends the job, and berth hears of it', async () => {
  const starting = host.berth('install', '--start', '--name', 'web', late);
  await waitForJob('web.service');
  await host.sh(`systemctl daemon-reexec; touch ${GATE}`);
  assertOk(await starting);
  assert.equal((await host.unit('web.service'))['ActiveState'], 'active');
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

test('a unit that is masked is refused before anything is changed', async () => {
  await host.sh('ln -s /dev/null /etc/systemd/system/web.service');
  const before = await snapshotChanging(host);
  const refused = await host.berth('install', '--name', 'web', plain);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /^berth: cannot install 'web'/m);
  assert.deepEqual(compareSnapshots(before, await snapshotChanging(host)), []);
  await host.sh('rm /etc/systemd/system/web.service; systemctl daemon-reload');
});

test('a bus that dies while a job is waited for is told, and nothing is left half', async () => {
  const starting = host.berth('install', '--start', '--name', 'web', slow);
  await waitForJob('web.service');
  const { MainPID: dead } = await host.unit('dbus.service');
  await host.sh('systemctl kill --signal=KILL dbus.service');
  assertFailed(await starting, /bus|connection/);
  const ping = 'busctl call org.freedesktop.systemd1 / org.freedesktop.DBus.Peer Ping';
  await waitUntil('systemd on another bus', async () => {
    await host.run(['systemctl', 'start', 'dbus.service']);
    const { MainPID: pid } = await host.unit('dbus.service');
    return pid !== dead && pid !== '0' && (await host.run(ping.split(' '))).status === 0;
  });
  assertOk(await host.berth('recover'));
  assertOk(await host.berth('install', '--name', 'web', slow));
  assertOk(await host.berth('uninstall', '--purge', 'web'));
});

/** Connections count, too, or nobody would know which sockets are those of the bus. */
const CALLS = ['connect', 'write'];

test('a bus that is lost at any of its messages leaves what the next command finishes', async (t) => {
  const whole = await superviseOn(host, ['install', '--name', 'web', plain]);
  assertOk(whole);
  assertOk(await host.berth('uninstall', '--purge', 'web'));
  const before = await snapshotChanging(host);
  const messages = whole.calls.filter(
    ({ call, places }) => call === 'write' && places[0] === 'bus',
  );
  assert.ok(messages.length >= 4, `${messages.length} messages`);
  for (const message of messages) {
    await t.test(`message ${messages.indexOf(message) + 1}`, async () => {
      const ordinal = whole.calls.filter(
        ({ call, number }) => CALLS.includes(call) && number <= message.number,
      ).length;
      const run = await superviseOn(host, ['install', '--name', 'web', plain], {
        calls: CALLS,
        fail: { from: ordinal, to: ordinal, errno: 'EPIPE' },
      });
      assert.equal(run.fired, 'failed');
      assertFailed(run, /bus|connection|EPIPE/);
      assertOk(await host.berth('install', '--name', 'web', plain));
      assertOk(await host.berth('uninstall', '--purge', 'web'));
      assert.deepEqual(compareSnapshots(before, await snapshotChanging(host)), []);
    });
  }
});
