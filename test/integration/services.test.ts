import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { type ProbeService, pushProbeService, pushStockProbe } from '../support/probe-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { suites } from '../support/suites.js';

// An installed container is a service like any other: stop, restart, kill, crash, notify, sockets and credentials.

for (const suite of suites) {
  test(`a container behaves as a native service does: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    const place = { registry, host };

    await t.test('one without a SIGTERM handler stops at once, and has not failed', async () => {
      await pushStockProbe(registry.target('deaf'), { Entrypoint: ['/probe', 'deaf'] });
      await installed(place, 'deaf');
      const started = performance.now();
      await host.runOk(['systemctl', 'stop', 'deaf']);
      const tookMs = performance.now() - started;
      // Without the default action it would be TimeoutStopSec=, a minute and a half.
      assert.ok(tookMs < 30_000, `it took ${tookMs} ms`);
      const unit = await host.unit('deaf.service');
      assert.equal(unit['ActiveState'], 'inactive', JSON.stringify(unit));
      assert.equal(unit['Result'], 'success');
    });

    await t.test(
      'systemctl restart gives it a new process; systemctl kill reaches it',
      async () => {
        await installService(place, 'signals', { args: ['signals'], service: ['Type=notify'] });
        const first = await host.unit('signals.service');
        await host.runOk(['systemctl', 'restart', 'signals']);
        const second = await host.unit('signals.service');
        assert.notEqual(second['MainPID'], first['MainPID']);
        for (const signal of ['HUP', 'USR1', 'USR2', 'WINCH']) {
          await host.runOk([
            'systemctl',
            'kill',
            '--kill-whom=main',
            `--signal=${signal}`,
            'signals',
          ]);
          await host.waitForMessage('signals.service', `signal ${signalNumber(signal)}`);
        }
        await host.runOk(['systemctl', 'stop', 'signals']);
        await host.waitForMessage('signals.service', 'signal 15');
        assert.equal((await host.unit('signals.service'))['Result'], 'success');
      },
    );

    await t.test('a crash is seen as what it was, and it is started again', async () => {
      await installService(place, 'ready', {
        args: ['ready'],
        service: ['Type=notify', 'Restart=on-failure', 'RestartSec=0'],
      });
      const before = await host.unit('ready.service');
      assert.equal(before['StatusText'], 'serving');
      await host.sh(
        'for pid in $(find "/sys/fs/cgroup$(systemctl show --value -p ControlGroup ready)" -name cgroup.procs -exec cat {} +); do [ "$(cat "/proc/$pid/comm")" != probe ] || kill -KILL "$pid"; done',
      );
      const after = await host.waitFor('ready.service', { ActiveState: 'active', NRestarts: '1' });
      assert.notEqual(after['MainPID'], before['MainPID']);
      await host.runOk(['systemctl', 'stop', 'ready']);
      await host.waitForMessage('ready.service', 'stopping');
    });

    await t.test('its exit status and its deadly signal are the service’s own', async () => {
      await installService(place, 'leaves', {
        args: ['exit', '42'],
        service: ['Type=exec'],
        start: false,
      });
      await host.run(['systemctl', 'start', 'leaves']);
      const left = await host.waitFor('leaves.service', { ActiveState: 'failed' });
      assert.equal(left['ExecMainCode'], '1', 'it did not exit');
      assert.equal(left['ExecMainStatus'], '42');
      await installService(place, 'dies', {
        args: ['fault'],
        service: ['Type=exec'],
        start: false,
      });
      await host.run(['systemctl', 'start', 'dies']);
      const dead = await host.waitFor('dies.service', { ActiveState: 'failed' });
      assert.match(dead['Result'] ?? '', /^(signal|core-dump)$/);
      assert.equal(dead['ExecMainStatus'], '11');
    });

    await t.test('a watchdog that is not fed any more ends it', async () => {
      await installService(place, 'watched', {
        args: ['watchdog', '1'],
        service: ['Type=notify', 'WatchdogSec=500ms', 'Restart=no'],
      });
      await host.waitForMessage('watched.service', 'WATCHDOG_USEC=500000 WATCHDOG_PID is mine');
      const failed = await host.waitFor('watched.service', { ActiveState: 'failed' });
      assert.equal(failed['Result'], 'watchdog');
    });

    await t.test('H-notify: it cannot make another process its main one', async () => {
      await host.sh(
        'systemd-run --quiet --unit=victim sleep 1000; systemctl show --value -p MainPID victim >/run/victim',
      );
      const victim = (await host.sh('cat /run/victim')).trim();
      await installService(place, 'usurper', {
        args: ['usurp', victim],
        service: ['Type=notify', 'NotifyAccess=all'],
      });
      const main = (await host.unit('usurper.service'))['MainPID'];
      assert.notEqual(main, victim, 'MAINPID= of another unit was taken');
      await host.runOk(['systemctl', 'stop', 'usurper']);
      const unit = await host.unit('victim.service');
      assert.equal(
        unit['ActiveState'],
        'active',
        'a container had a process of another unit killed',
      );
    });

    await t.test('a socket is passed to it', async () => {
      await pushProbeService(registry.target('echo'), { args: ['echo'] });
      assertOk(await host.berth('install', '--system', registry.reference('echo')));
      await host.sh(
        'printf "[Socket]\\nListenStream=127.0.0.1:7\\nFileDescriptorName=hello\\n" >/etc/systemd/system/echo.socket; systemctl daemon-reload; systemctl start echo.socket',
      );
      const answer = await host.runInNetwork(
        ['sh', '-c', 'exec 3<>/dev/tcp/127.0.0.1/7; echo ahoy >&3; head -n 1 <&3'].map((word) =>
          word === 'sh' ? 'bash' : word,
        ),
        { timeoutMs: 20_000 },
      );
      assert.equal(answer.stdout, 'ahoy\n', answer.stderr);
      await host.waitForMessage(
        'echo.service',
        'LISTEN_FDS=1 LISTEN_FDNAMES=hello LISTEN_PID is mine LISTEN_PIDFDID unset',
      );
      await host.sh('systemctl stop echo.socket echo.service; rm /etc/systemd/system/echo.socket');
    });

    await t.test('credentials are its own copies, and read-only', async () => {
      await installService(place, 'secretive', {
        args: ['credentials'],
        service: ['Type=oneshot', 'RemainAfterExit=yes', 'SetCredential=token:open sesame'],
        user: { uid: 1234, gid: 1234 },
      });
      await host.waitForMessage('secretive.service', 'folder mode 0500 uid 1234 mine 1');
      await host.waitForMessage(
        'secretive.service',
        'credential token mode 0400 writable 0: open sesame',
      );
    });

    await t.test('nothing but what is meant for it is in its environment', async () => {
      await installService(place, 'show', {
        args: ['show'],
        service: ['Type=oneshot', 'RemainAfterExit=yes', 'Environment=SECRET=of-the-unit'],
      });
      const lines = await messagesOf(host, 'show.service');
      const names = lines
        .filter((line) => line.startsWith('env '))
        .map((line) => line.slice(4, line.indexOf('=')));
      assert.deepEqual(
        names.filter(
          (name) => !['PATH', 'HOME', 'INVOCATION_ID', 'NOTIFY_SOCKET', 'TERM'].includes(name),
        ),
        [],
      );
      const open = lines.filter((line) => /^fd ([3-9]|\d\d) /.test(line));
      // The folder that the probe reads its descriptors from is not one of them: it asks one by one.
      assert.deepEqual(open, [], 'descriptors of the launcher are open in the container');
    });

    await t.test('all of them are gone after uninstall', async () => {
      const names = (await host.berth('list', '-q')).stdout.trim().split('\n');
      assertOk(await host.berth('uninstall', '--purge', ...names));
      assert.equal((await host.berth('list', '-q')).stdout.trim(), '');
      assert.equal((await host.sh('ls -A /run/berth 2>/dev/null || true')).trim(), '');
    });
  });
}

interface Place {
  readonly registry: RealRegistry;
  readonly host: BootedHost;
}

/** Installs what was pushed under a name and starts it. */
async function installed({ registry, host }: Place, name: string): Promise<void> {
  assertOk(await host.berth('install', '--system', '--start', registry.reference(name)));
}

async function installService(
  place: Place,
  name: string,
  probe: ProbeService & { readonly start?: boolean },
): Promise<void> {
  await pushProbeService(place.registry.target(name), probe);
  const reference = place.registry.reference(name);
  const start = probe.start === false ? [] : ['--start'];
  assertOk(await place.host.berth('install', '--system', ...start, reference));
}

/** What a container itself wrote, not systemd about it. */
async function messagesOf(host: BootedHost, unit: string): Promise<readonly string[]> {
  return (await host.journal(unit))
    .filter((entry) => entry.unit === unit)
    .map((entry) => entry.message);
}

function signalNumber(name: string): number {
  const number = { HUP: 1, USR1: 10, USR2: 12, WINCH: 28 }[name];
  assert.ok(number !== undefined);
  return number;
}
