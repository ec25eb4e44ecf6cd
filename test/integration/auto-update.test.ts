import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { onTerminal } from '../support/on-terminal.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';

// What the timer does: it follows versions, applies what is well, and leaves alone what was not.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
  await push('3.5.0', ['/probe', 'deaf']);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function push(
  tag: string,
  args: readonly string[],
  bounding: readonly string[] = [],
): Promise<void> {
  const process = { user: { uid: 0, gid: 0 }, args, cwd: '/', capabilities: { bounding } };
  const config = configTemplate({ process });
  const files = { 'config.json.template': config };
  await pushExports(registry.target('app'), { files, comment: tag }, tag);
}

async function berth(...args: readonly string[]): Promise<string> {
  const result = await host.run(['node', '/opt/berth/dist/bin/berth.cjs', ...args], {
    env: { BERTH_HEALTH_SOAK: '1' },
  });
  assert.equal(result.status, 0, `berth ${args.join(' ')}\n${result.stderr}`);
  return result.stdout;
}

test('without a policy nothing is updated; a policy is shown, changed and checked', async () => {
  await berth('install', '--start', `${registry.host}/app:3.5.0`);
  await push('3.5.1', ['/probe', 'deaf']);
  assert.equal(await berth('auto-update'), '');
  assert.match(await berth('auto-update', '--dry-run'), /^no container is updated by itself/);
  assert.match(
    await berth('policy', 'app', '--mode', 'check', '--tags', '3.5.x'),
    /mode check, tags 3\.5\.x/,
  );
  assert.match(await berth('policy', 'app'), /mode check, tags 3\.5\.x, window \(always\)/);
  assert.equal((await host.berth('policy', 'app', '--mode', 'sometimes')).status, 64);
  assert.equal((await host.berth('policy', 'noapp')).status, 66);
  assert.match(await berth('auto-update'), /^app: available \(.*\/app:3\.5\.1\)\n$/);
  assert.match(await berth('list', '--json'), /3\.5\.0/);
});

test('the timer downloads, applies, and does not try again what was not well', async () => {
  await berth('policy', 'app', '--mode', 'download');
  assert.match(await berth('auto-update', '--dry-run'), /^app: available/);
  assert.match(await berth('auto-update'), /^app: downloaded/);
  await berth('policy', 'app', '--mode', 'apply');
  await berth('policy', '--enable-timer');
  const timer = await host.unit('berth-update.timer');
  assert.deepEqual([timer['ActiveState'], timer['UnitFileState']], ['active', 'enabled']);
  const verify = await host.run([
    'systemd-analyze',
    'verify',
    'berth-update.timer',
    'berth-update.service',
  ]);
  assert.deepEqual([verify.status, verify.stderr], [0, '']);
  await host.sh(
    'systemctl set-environment BERTH_HEALTH_SOAK=1; systemctl start berth-update.service',
  );
  assert.match(await berth('list', '--json'), /app:3\.5\.1/);
  await push('3.5.2', ['/probe', 'exit', '3']);
  const bad = await host.run(['node', '/opt/berth/dist/bin/berth.cjs', 'auto-update'], {
    env: { BERTH_HEALTH_SOAK: '1' },
  });
  assert.notEqual(bad.status, 0, bad.stdout);
  assert.match(await berth('auto-update'), /^app: rejected \(.*:3\.5\.2\)/);
  assert.match(await berth('list', '--json'), /app:3\.5\.1/);
  assert.equal((await host.unit('app.service'))['ActiveState'], 'active');
});

test('what may do more than the installed version is held, told once and shown, until somebody allows it', async () => {
  await push('3.5.3', ['/probe', 'deaf'], ['CAP_NET_ADMIN']);
  await pushExports(registry.target('other'), { comment: 'one' });
  await berth('install', '--start', `${registry.host}/other:latest`);
  await berth('policy', 'other', '--mode', 'apply');
  await pushExports(registry.target('other'), { comment: 'two' });
  const said = await berth('auto-update');
  assert.match(
    said,
    /^app: held \(\S+:3\.5\.3\)\n.*\n {2}\+ capability CAP_NET_ADMIN\n {2}'berth update --rebase \S+:3\.5\.3 app' applies it\nother: updated/,
  );
  assert.match(await berth('auto-update'), /^app: held \(\S+\)\nother: current/);
  assert.match(await berth('auto-update', '--dry-run'), /^app: held \(\S+\)\nother: current/);
  const status = await berth('status', 'app');
  assert.match(
    status,
    /Held: \S+:3\.5\.3 \(sha256:[^]*\+ capability CAP_NET_ADMIN\n.*applies it\n/,
  );
  assert.doesNotMatch(await berth('status', 'other'), /Held/);
  assert.match(await berth('list', '--json'), /app:3\.5\.1/);

  const command = /'berth (update .*)' applies it/.exec(said)?.[1] ?? '';
  const argv = ['node', '/opt/berth/dist/bin/berth.cjs', ...command.split(' ')];
  const env = { BERTH_HEALTH_SOAK: '1' };
  const refused = await host.run(argv, { env });
  assert.deepEqual([refused.status, refused.stdout], [77, '']);
  const { status: ended, shown } = await onTerminal((words) => host.run(words, { env }), {
    argv,
    dialogue: [['[y/N] ', 'y\r']],
  });
  assert.equal(ended, 0, shown);
  assert.match(await berth('list', '--json'), /app:3\.5\.3/);
  assert.doesNotMatch(await berth('status', 'app'), /Held/);
  assert.equal((await host.unit('app.service'))['ActiveState'], 'active');

  await push('3.5.4', ['/probe', 'deaf'], ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN']);
  assert.match(await berth('policy', 'app', '--new-permissions', 'allow'), /new permissions allow/);
  assert.match(await berth('auto-update'), /^app: updated \(\S+:3\.5\.4\)/);
  await berth('uninstall', 'other');
});

test('the last uninstall takes the timer away', async () => {
  await berth('uninstall', 'app');
  for (const unit of ['berth-update.timer', 'berth-update.service', 'berth-recover.service']) {
    const state = await host.unit(unit);
    assert.deepEqual(
      [unit, state['LoadState'], state['ActiveState']],
      [unit, 'not-found', 'inactive'],
    );
  }
});

test('a config.json that was edited by hand is not lost to the timer', async () => {
  const reference = `${registry.host}/hand:latest`;
  await pushExports(registry.target('hand'));
  await berth('install', '--start', reference);
  await berth('policy', 'hand', '--mode', 'apply', '--new-permissions', 'allow');
  await host.sh('sed -i s/A=b/A=c/ /var/lib/berth/hand/config.json');
  await pushExports(registry.target('hand'), { comment: 'newer' });
  const told = await berth('auto-update');
  assert.match(
    told,
    /hand: held \(.*\)\n {2}it is left to a person:\n {2}\+ its config\.json was edited by hand, and what was edited would be lost\n {2}'berth update hand' applies it\n/,
  );
  assert.match(await berth('auto-update'), /hand: held \([^\n]*\)\n(?! )/);
  assert.match(await berth('status', 'hand'), /is left to a person/);
  await host.sh('grep -q A=c /var/lib/berth/hand/config.json');
  await berth('update', 'hand');
  await host.sh('grep -q A=b /var/lib/berth/hand/config.json');
});
