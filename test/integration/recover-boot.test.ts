import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { messageIds } from '../support/host-journal.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { suites } from '../support/suites.js';

// What an interrupted change left is finished or undone at the next boot, before any container starts.

let registry: RealRegistry;
const hosts = new Map<string, BootedHost>();

before(async () => {
  registry = await startRegistry();
  const config = configTemplate({ annotations: { 'berth.init': 'true' } });
  await pushExports(registry.target('tiny'), { files: { 'config.json.template': config } });
  await pushExports(registry.target('first'), {
    files: {
      'config.json.template': config,
      'service.template': SERVICE_TEMPLATE.replace(
        '[Service]',
        'DefaultDependencies=no\nBefore=sysinit.target\n[Service]',
      ),
    },
  });
  for (const suite of suites) {
    const host = await bootHost({ suite });
    await host.network.exposePort(registry.port);
    hosts.set(suite, host);
  }
});

after(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const UNIT = '/etc/systemd/system/berth-recover.service';

function hostOf(suite: string): BootedHost {
  const host = hosts.get(suite);
  assert.ok(host !== undefined);
  return host;
}

async function berth(host: BootedHost, ...args: readonly string[]): Promise<void> {
  const result = await host.berth(...args);
  assert.equal(result.status, 0, `berth ${args.join(' ')}\n${result.stderr}`);
}

/** Writes the journal entry that the given operation has on its way. */
async function writeJournal(
  host: BootedHost,
  name: string,
  operation: 'install' | 'undo',
): Promise<void> {
  const script = `
    import { resolveHostPaths } from '/opt/berth/dist/src/config/host-paths.js';
    import { getContainer } from '/opt/berth/dist/src/containers/container-directory.js';
    import { beginJournal } from '/opt/berth/dist/src/containers/journal.js';
    import { invert, sideOf } from '/opt/berth/dist/src/containers/transition.js';
    const paths = resolveHostPaths({ mode: 'system', env: {} });
    const deployment = await getContainer(paths, '${name}');
    const forward = {
      name: '${name}', from: undefined, to: sideOf(deployment, deployment.units.filter((unit) => !unit.includes('@.'))),
      builds: true, starts: false, dependents: [], rejected: undefined,
    };
    const operation = '${operation}';
    const transitions = [operation === 'undo' ? invert(forward, undefined) : forward];
    const entry = { operation, name: '${name}', transitions, purge: false, keep: 2, watch: false };
    await beginJournal(paths, entry);`;
  await host.runOk(['node', '--input-type=module', '--eval', script]);
}

/** When systemd said of a unit in this boot that it was started, in microseconds. */
async function startOf(host: BootedHost, unit: string): Promise<number> {
  const journal = (await host.journal(unit)).filter((entry) => entry.aboutUnit === unit);
  const entry = journal.find(({ messageId }) => messageId === messageIds.unitStarted);
  assert.ok(entry !== undefined, `${unit} did not start`);
  return entry.monotonicUs;
}

for (const suite of suites) {
  test(`${suite}: an interrupted installation is finished at boot, and then starts`, async () => {
    const host = hostOf(suite);
    const left = `${registry.host}/tiny:latest`;
    await berth(host, 'install', left);
    await berth(host, 'install', '--name', 'many@', left);
    await host.sh('systemctl enable many@one.service');
    // A run whose power was cut has its container, and this.
    await berth(host, 'install', '--name', 'run-0badcafe', left);
    await host.sh(': >/var/lib/berth/.journal/run-0badcafe.run');
    await writeJournal(host, 'tiny', 'install');
    await writeJournal(host, 'many@', 'install');
    // As after the commit point: the NAME link is there, nothing of it is on the host yet.
    await host.sh(`
      rm -r /etc/systemd/system/tiny.service /etc/systemd/system/tiny.service.d
      rm /etc/systemd/system/multi-user.target.wants/tiny.service
      rm -r /etc/systemd/system/many@.service /etc/systemd/system/many@.service.d`);
    await host.reboot();
    await host.waitFor('tiny.service', { ActiveState: 'active' });
    await host.waitFor('many@one.service', { ActiveState: 'active' });
    assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '');
    assert.equal(
      await host.sh('ls -d /var/lib/berth/run-* /etc/systemd/system/run-* 2>/dev/null || true'),
      '',
    );
    const recovered = await startOf(host, 'berth-recover.service');
    assert.ok(recovered <= (await startOf(host, 'tiny.service')));
    assert.equal((await host.runOk(['systemctl', 'is-system-running'])).trim(), 'running');
    await berth(host, 'uninstall', 'many@');
  });

  test(`${suite}: nothing runs at a boot that has nothing to recover`, async () => {
    const host = hostOf(suite);
    await host.reboot();
    await host.waitFor('tiny.service', { ActiveState: 'active' });
    const unit = await host.unit('berth-recover.service');
    assert.deepEqual(
      [unit['ActiveState'], unit['ConditionResult'], unit['ExecMainPID'], unit['UnitFileState']],
      ['inactive', 'no', '0', 'enabled'],
    );
  });

  test(`${suite}: an installation that was being taken back is gone before it can start`, async () => {
    const host = hostOf(suite);
    await writeJournal(host, 'tiny', 'undo');
    await host.reboot();
    assert.equal((await host.unit('tiny.service'))['LoadState'], 'not-found');
    assert.ok(!(await host.journal()).some(({ message }) => message.includes('Test of tiny')));
    // It was the last container: what runs at boot to recover took itself away, too.
    assert.equal((await host.run(['ls', UNIT])).status, 2);
    assert.equal((await host.runOk(['systemctl', 'is-system-running'])).trim(), 'running');
    assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '');
    const link = '/etc/systemd/system/sysinit.target.wants/berth-recover.service';
    assert.equal((await host.run(['ls', link])).status, 2);
  });

  test(`${suite}: a container that starts before all else waits for it, and neither hangs`, async () => {
    const host = hostOf(suite);
    await berth(host, 'install', `${registry.host}/first:latest`);
    await berth(host, 'install', `${registry.host}/tiny:latest`);
    await writeJournal(host, 'first', 'install');
    await host.reboot();
    await host.waitFor('first.service', { ActiveState: 'active' });
    const recovered = await startOf(host, 'berth-recover.service');
    const first = await startOf(host, 'first.service');
    assert.ok(recovered <= first && first <= (await startOf(host, 'tiny.service')));
    assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '');
  });

  test(`${suite}: where recovery fails, what stands there starts`, async () => {
    const host = hostOf(suite);
    await host.sh('echo damaged >/var/lib/berth/.journal/first.json');
    await writeJournal(host, 'tiny', 'install');
    await host.reboot();
    await host.waitFor('first.service', { ActiveState: 'active' });
    await host.waitFor('tiny.service', { ActiveState: 'active' });
    await host.waitFor('berth-recover.service', { ActiveState: 'failed' });
    const said = (await host.journal('berth-recover.service')).map(({ message }) => message);
    assert.ok(
      said.some((line) => line.includes("cannot recover 'first'")),
      said.join('\n'),
    );
    assert.equal((await host.sh('ls -A /var/lib/berth/.journal')).trim(), 'first.json');
    await host.sh('rm /var/lib/berth/.journal/first.json; systemctl reset-failed');
  });

  test(`${suite}: the unit runs the program from wherever it is`, async () => {
    const host = hostOf(suite);
    await host.sh(`
      mkdir -p '/srv/a "b" 5%n $c'
      mount --bind /opt/berth '/srv/a "b" 5%n $c'
      node '/srv/a "b" 5%n $c/dist/bin/berth.cjs' uninstall tiny
      node '/srv/a "b" 5%n $c/dist/bin/berth.cjs' install ${registry.host}/tiny:latest`);
    await writeJournal(host, 'tiny', 'install');
    const verify = await host.run(['systemd-analyze', 'verify', 'berth-recover.service']);
    assert.deepEqual([verify.status, verify.stdout, verify.stderr], [0, '', '']);
    await host.runOk(['systemctl', 'start', 'berth-recover.service']);
    assert.equal(await host.sh('ls -A /var/lib/berth/.journal'), '');
    const requires = (await host.unit('berth-recover.service'))['RequiresMountsFor'] ?? '';
    for (const path of ['/var/lib/berth', '/usr/bin/node', '/srv/a']) {
      assert.ok(requires.includes(path), requires);
    }
    // The next change from another place takes it there.
    await berth(host, 'uninstall', 'tiny');
    await berth(host, 'install', `${registry.host}/tiny:latest`);
    assert.match(
      await host.runOk(['cat', UNIT]),
      /^ExecStart=\/usr\/bin\/node \/opt\/berth\/dist\/bin\/berth\.cjs recover --boot$/m,
    );
    await host.sh(`umount '/srv/a "b" 5%n $c'`);
  });

  test(`${suite}: an administrator's own unit, or a mask, is left alone; the last uninstall takes ours away`, async () => {
    const host = hostOf(suite);
    await berth(host, 'uninstall', 'first');
    await host.runOk(['ls', UNIT]);
    await berth(host, 'uninstall', 'tiny');
    assert.equal((await host.run(['ls', UNIT])).status, 2);
    assert.equal((await host.unit('berth-recover.service'))['LoadState'], 'not-found');
    await host.runOk(['ln', '-s', '/dev/null', UNIT]);
    await berth(host, 'install', `${registry.host}/tiny:latest`);
    await berth(host, 'uninstall', 'tiny');
    assert.equal((await host.runOk(['readlink', UNIT])).trim(), '/dev/null');
  });
}

const HANG = '/opt/berth/test/fixtures/machine/hang.mjs';

test('an update that was interrupted is watched after the boot, and goes back where it is not well', async () => {
  const host = hostOf('trixie');
  await host.sh('rm /etc/systemd/system/berth-recover.service'); // the mask of the test before
  await pushExports(registry.target('steady'), versionOf(['/probe', 'deaf']));
  await berth(host, 'install', '--start', `${registry.host}/steady:latest`);
  await pushExports(registry.target('steady'), versionOf(['/probe', 'exit', '3']));
  await host.sh(`
    HANG=after NODE_OPTIONS=--import=${HANG} setsid node /opt/berth/dist/bin/berth.cjs update steady >/run/said 2>&1 </dev/null &
    for i in $(seq 300); do [ -e /run/hanging ] && break; sleep 0.1; done
    kill -KILL $!`);
  assert.equal((await host.sh('readlink /var/lib/berth/steady')).trim(), 'steady.1');
  await host.reboot();
  await host.sh(
    'for i in $(seq 150); do [ -n "$(ls -A /var/lib/berth/.journal)" ] || break; sleep 0.2; done',
  );
  assert.equal((await host.sh('readlink /var/lib/berth/steady')).trim(), 'steady.0');
  await host.waitFor('steady.service', { ActiveState: 'active' });
  assert.match((await host.berth('history', 'steady')).stdout, /^rejected sha256:/m);
});

function versionOf(args: readonly string[]): Parameters<typeof pushExports>[1] {
  const config = configTemplate({ process: { user: { uid: 0, gid: 0 }, args, cwd: '/' } });
  return { files: { 'config.json.template': config } };
}
