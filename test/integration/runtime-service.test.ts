import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { createBuiltInRuntime } from '../../src/runtime/built-in-runtime.js';
import type { LaunchPlanOptions } from '../../src/runtime/launch-plan.js';
import { bootHost, type BootedHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { launcher } from '../support/launched-container.js';
import { probeProgram } from '../support/probe-program.js';
import { runtimeConfig, type ConfigChanges } from '../support/runtime-config.js';
import { suites, systemdVersion } from '../support/suites.js';

const LAUNCHER = '/usr/libexec/berth/launch';
const runtime = createBuiltInRuntime({ launcher: LAUNCHER });

/** A container with the probe as its program, placed as `berth install` does. */
function place(
  host: BootedHost,
  name: string,
  service: {
    words: readonly string[];
    unit?: string;
    changes?: ConfigChanges;
    options?: Partial<LaunchPlanOptions>;
  },
): void {
  const deployment = `/var/lib/berth/${name}`;
  const rootfs = join(deployment, 'rootfs');
  const config = runtimeConfig({
    ...service.changes,
    process: { args: ['/probe', ...service.words], ...service.changes?.process },
  });
  const prepared = runtime.prepare(config, { name, rootfs, ...service.options });
  for (const { path, kind } of prepared.mountPoints) {
    assert.equal(kind, 'directory');
    mkdirSync(host.outside(join(rootfs, path)), { recursive: true });
  }
  copyFileSync(probeProgram(), host.outside(join(rootfs, 'probe')));
  for (const file of prepared.files) {
    writeFileSync(host.outside(join(deployment, file.name)), file.content);
    chmodSync(host.outside(join(deployment, file.name)), 0o644);
  }
  const lines = runtime.execLines({ name, deployment });
  const unit = host.outside(`/etc/systemd/system/${name}.service`);
  mkdirSync(`${unit}.d`, { recursive: true });
  writeFileSync(unit, `[Service]\nExecStart=${lines.start}\n${service.unit ?? ''}`);
  writeFileSync(
    `${unit}.d/10-berth.conf`,
    prepared.directives.map(([section, key, value]) => `[${section}]\n${key}=${value}\n`).join(''),
  );
}

const rows = suites.map((suite) => ({ name: suite, suite }));

each('containers behave as native services do', rows, async ({ suite }) => {
  await using host = await bootHost({
    suite,
    prepare: (tree) => {
      mkdirSync(join(tree, dirname(LAUNCHER)), { recursive: true });
      copyFileSync(launcher, join(tree, LAUNCHER));
    },
  });
  const version = { systemdVersion: systemdVersion[suite] };

  place(host, 'ready', {
    words: [
      'notify',
      'STATUS=all is well\nMAINPID=1',
      'notify',
      'READY=1',
      'barrier',
      'catch',
      '15',
      'sleep',
      '60',
      'exit',
      '0',
    ],
    unit: 'Type=notify\nNotifyAccess=all\n',
    options: { notify: true, ...version },
  });
  place(host, 'deaf', { words: ['say', 'up', ',', 'sleep', '60'], options: version });
  place(host, 'crash', { words: ['fault'], options: version });
  place(host, 'secret', {
    words: ['cat', '/run/host/credentials/word', ',', 'stat', '/run/host/credentials/word'],
    unit: 'Type=oneshot\nSetCredential=word:of-mouth\n',
    changes: { process: { user: { uid: 7, gid: 8 } } },
    options: version,
  });
  place(host, 'socket', {
    words: ['env', ',', 'fds', ',', 'sleep', '60'],
    unit: 'Sockets=socket.socket\n',
    options: version,
  });
  writeFileSync(
    host.outside('/etc/systemd/system/socket.socket'),
    '[Socket]\nListenStream=/run/socket.sock\n',
  );
  place(host, 'fork', {
    words: ['sleep', '60'],
    unit: 'Type=forking\nPIDFile=/run/fork.pid\n',
    options: { pidFile: '/run/fork.pid', ...version },
  });
  place(host, 'cgroup', {
    words: ['cat', '/proc/self/cgroup', ',', 'mkdir', '/sys/fs/cgroup/x'],
    unit: 'Type=oneshot\n',
    changes: {
      mounts: [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' }],
      linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'cgroup' }] },
    },
    options: version,
  });
  await host.runOk(['systemctl', 'daemon-reload']);

  await host.runOk(['systemctl', 'start', 'ready']);
  const ready = await host.unit('ready.service');
  assert.equal(ready['StatusText'], 'all is well');
  assert.notEqual(ready['MainPID'], '1');
  assert.equal(ready['NotifyAccess'], 'main');
  await host.runOk(['systemctl', 'stop', 'ready']);
  assert.equal((await host.unit('ready.service'))['Result'], 'success');

  await host.runOk(['systemctl', 'start', 'deaf']);
  // A unit of Type=simple is active before its program runs.
  await host.waitForMessage('deaf.service', 'up');
  const began = Date.now();
  await host.runOk(['systemctl', 'stop', 'deaf']);
  assert.ok(Date.now() - began < 30_000, 'a program without a handler held up the stop');
  const deaf = await host.unit('deaf.service');
  assert.deepEqual([deaf['ActiveState'], deaf['Result']], ['inactive', 'success']);

  await host.run(['systemctl', 'start', 'crash']);
  const crash = await host.waitFor('crash.service', { ActiveState: 'failed' });
  assert.deepEqual([crash['Result'], crash['ExecMainStatus']], ['signal', '11']);

  await host.runOk(['systemctl', 'start', 'secret']);
  const secrets = (await host.journal('secret.service')).map(({ message }) => message);
  assert.ok(secrets.includes('of-mouth'), secrets.join('\n'));
  assert.ok(secrets.some((line) => line.includes('=100400 uid=7 gid=8')));

  await host.runOk(['systemctl', 'start', 'socket.socket', 'socket']);
  const opened = await host.waitForMessage('socket.service', 'fd=3');
  for (const line of ['env LISTEN_PID=1', 'env LISTEN_FDS=1', 'fd=3']) {
    assert.ok(opened.includes(line), `${line} is not in ${opened.join('\n')}`);
  }
  assert.ok(
    !opened.includes('fd=4') && !opened.some((line) => line.startsWith('env LISTEN_PIDFDID')),
  );

  await host.runOk(['systemctl', 'start', 'fork']);
  const fork = await host.unit('fork.service');
  assert.equal(fork['ActiveState'], 'active');
  assert.equal(fork['MainPID'], (await host.sh('cat /run/fork.pid')).trim());

  await host.runOk(['systemctl', 'start', 'cgroup']);
  const groups = (await host.journal('cgroup.service')).map(({ message }) => message);
  assert.ok(groups.includes('0::/') && groups.includes('mkdir=ok'), groups.join('\n'));
});
