import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { startRegistry } from '../support/registry.js';
import { shortSoak } from '../support/short-soak.js';
import { suites } from '../support/suites.js';
import { waitUntil } from '../support/wait-until.js';

// A container whose unit is a template: systemd starts instances of it, each with its own name in its configuration.

// Not StateDirectory=: the executor of systemd 257 does not take one with an escaped name.
const SERVICE = `[Unit]
Description=Instance %i
[Service]
ExecStart=$EXEC_START
ExecStartPre=+/bin/mkdir -p /var/lib/web/$INSTANCE
[Install]
WantedBy=multi-user.target
`;

const CONFIG = configTemplate({
  process: {
    user: { uid: 0, gid: 0 },
    args: ['/probe', 'deaf', '--for=$INSTANCE'],
    env: ['INSTANCE=$INSTANCE'],
    cwd: '/',
  },
  hostname: '$INSTANCE',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/run', type: 'tmpfs', source: 'tmpfs' },
    {
      destination: '/run/state',
      type: 'bind',
      source: '/var/lib/web/$INSTANCE',
      options: ['bind', 'rw'],
    },
  ],
  linux: { namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
});

/** Waits for what an instance runs with: it counts as started before its program runs. */
async function runsWith(host: BootedHost, unit: string, wanted: RegExp): Promise<void> {
  await waitUntil(`${String(wanted)} of ${unit}`, async () => {
    const { MainPID: pid = '' } = await host.unit(unit);
    const { stdout } = await host.run([
      'sh',
      '-c',
      `child=$(cat /proc/${pid}/task/*/children | tr -d ' '); tr '\\0' '\\n' <"/proc/$child/environ"; tr '\\0' ' ' <"/proc/$child/cmdline"; nsenter -t "$child" -u uname -n`,
    ]);
    assert.match(stdout, wanted);
    return true;
  });
}

for (const suite of suites) {
  test(`N07 instances of a template: ${suite}`, async (t) => {
    await using registry = await startRegistry();
    await using host = await bootHost({ suite, prepare: shortSoak });
    await host.network.exposePort(registry.port);
    const push = (comment: string): Promise<unknown> =>
      pushExports(registry.target('web'), {
        files: { 'service.template': SERVICE, 'config.json.template': CONFIG },
        entries: [{ path: 'run/' }, { path: 'run/state/' }],
        comment,
      });
    await push('first');
    const image = `${registry.host}/web:latest`;

    await t.test('only a name that ends in @ makes a template of it', async () => {
      const plain = await host.berth('install', image);
      assert.equal(plain.status, 64, plain.stderr);
      assert.match(plain.stderr, /no value for variable INSTANCE/);
      const named = await host.berth('install', '--name', 'web@x', image);
      assert.equal(named.status, 64, named.stderr);
    });

    await t.test('it is installed as NAME@.service, and each instance has its name', async () => {
      assertOk(await host.berth('install', '--name', 'web@', image));
      await host.sh('test -e /etc/systemd/system/web@.service; test -L /var/lib/berth/web@');
      await host.sh('systemctl start web@one.service');
      assertOk(await host.berth('start', 'web@two'));
      await runsWith(host, 'web@one.service', /^INSTANCE=one$[^]*--for=one one\n/m);
      await runsWith(host, 'web@two.service', /^INSTANCE=two$[^]*--for=two two\n/m);
      assert.match((await host.berth('list')).stdout, /^web@ +2 instances/m);
      const template = await host.berth('start', 'web@');
      assert.equal(template.status, 64, template.stderr);
    });

    await t.test('what systemd-escape(1) escapes reaches the right unit', async () => {
      assertOk(await host.berth('start', 'web@a b'));
      const escaped = (await host.sh("systemd-escape --template=web@.service 'a b'")).trim();
      const log = await host.sh(`journalctl --no-pager -n 10 -u '${escaped}'`);
      assert.equal((await host.unit(escaped))['ActiveState'], 'active', log);
      await runsWith(host, escaped, /^INSTANCE=a\\x20b$/m);
      assertOk(await host.berth('stop', 'web@a b'));
      // An instance that would leave its place is refused by the launcher.
      await host.run(['systemctl', 'start', 'web@a..b.service']);
      await host.waitFor('web@a..b.service', { ActiveState: 'failed' });
    });

    await t.test('their config.json is applied for all, by the name of any', async () => {
      await host.sh("sed -i 's/--for={instance}/--of={instance}/' /var/lib/berth/web@/config.json");
      const applied = await host.berth('apply', 'web@one');
      assertOk(applied);
      assert.match(applied.stdout, /run as before: web@one\.service\.$/m);
      await runsWith(host, 'web@one.service', /--for=one one\n/);
      assertOk(await host.berth('restart', 'web@one'));
      await runsWith(host, 'web@one.service', /--of=one one\n/);
      assert.match(
        (await host.berth('apply', 'web@')).stdout,
        /run as before: web@two\.service\.$/m,
      );
      assertOk(await host.berth('restart', 'web@two'));
      assert.match((await host.berth('apply', 'web@')).stdout, /nothing to do/);
    });

    await t.test(
      'an update restarts the instances that run, an uninstallation stops them',
      async () => {
        const before = await host.unit('web@one.service');
        await push('second');
        assertOk(await host.berth('update', 'web@'));
        const after = await host.waitFor('web@one.service', { ActiveState: 'active' });
        assert.notEqual(after['MainPID'], before['MainPID']);
        assert.equal((await host.unit('web@two.service'))['ActiveState'], 'active');
        assertOk(await host.berth('uninstall', '--purge', 'web@'));
        assert.equal((await host.sh("systemctl list-units --no-legend --all 'web@*'")).trim(), '');
        await host.sh('! test -e /etc/systemd/system/web@.service; ! test -e /var/lib/berth/web@');
      },
    );
  });
}
