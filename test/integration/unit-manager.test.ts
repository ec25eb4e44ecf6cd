import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bootHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { BUSES } from '../support/host-tree.js';
import { suites } from '../support/suites.js';

const rows = suites.map((suite) => ({ name: suite, suite }));

each('the unit manager keeps its contract over D-Bus', rows, async ({ suite }) => {
  await using host = await bootHost({ suite });
  const { Id } = await host.unit('dbus.service');
  assert.equal(Id === 'dbus-broker.service', BUSES[suite] === 'dbus-broker', Id);
  const run = await host.run([
    'node',
    '--test',
    '/opt/berth/dist/test/contract/dbus-unit-manager.js',
  ]);
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  const passed = Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1]);
  assert.ok(passed >= 20, `expected all cases to run, got ${passed}`);
});

test('a host without a bus is told apart from one without systemd', async () => {
  await using host = await bootHost({ suite: 'bookworm', withoutBus: true });
  const connect = `
    import { connectUnitManager } from '/opt/berth/dist/src/systemd/connect-unit-manager.js';
    try {
      connectUnitManager({ mode: 'system' });
    } catch (error) {
      console.log(error.code, error.exitStatus, error.message);
    }`;
  const node = ['node', '--input-type=module', '--eval', connect];
  assert.equal(
    (await host.runOk(node)).trim(),
    "SYSTEMD_UNAVAILABLE 69 there is no system bus at '/run/dbus/system_bus_socket'",
  );
  const hidden = ['unshare', '--mount', 'sh', '-c', 'umount -l /run && exec "$@"', 'sh', ...node];
  assert.equal(
    (await host.runOk(hidden)).trim(),
    'SYSTEMD_UNAVAILABLE 69 this system was not booted with systemd',
  );
});

test('the manager of a user is reached, enables below the home and starts', async () => {
  await using host = await bootHost({ suite: 'trixie' });
  // The tree has no packages for sessions: a user manager and its bus are started by hand.
  await host.sh(`
    mkdir -p -m 700 /run/user/0; mkdir -p /etc/systemd/user/sockets.target.wants /root/.config/systemd/user
    printf '[Socket]\\nListenStream=%%t/bus\\n' >/etc/systemd/user/dbus.socket
    printf '[Service]\\nExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation\\n' \\
      >/etc/systemd/user/dbus.service
    ln -s ../dbus.socket /etc/systemd/user/sockets.target.wants/
    printf '[Service]\\nType=exec\\nExecStart=/bin/sleep 100\\n[Install]\\nWantedBy=default.target\\n' \\
      >/root/.config/systemd/user/mine.service
    systemd-run --quiet --unit=user-manager --property=Type=notify --property=Delegate=yes \\
      --setenv=XDG_RUNTIME_DIR=/run/user/0 --setenv=HOME=/root /usr/lib/systemd/systemd --user`);
  const script = `
    import { connectUnitManager } from '/opt/berth/dist/src/systemd/connect-unit-manager.js';
    const manager = connectUnitManager({ mode: 'user' });
    await manager.reload();
    const [change] = await manager.enable(['mine.service']);
    const { result } = await manager.start('mine.service', {});
    console.log(change.path, result, (await manager.getStates(['mine.service']))[0].activeState);
    await manager[Symbol.asyncDispose]();`;
  const output = await host.runOk(['node', '--input-type=module', '--eval', script], {
    env: { XDG_RUNTIME_DIR: '/run/user/0' },
  });
  assert.equal(
    output.trim(),
    '/root/.config/systemd/user/default.target.wants/mine.service done active',
  );
});
