import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports, type ExportsSketch } from '../support/exports-image.js';
import { assertRefusedInWords, snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

// What an update keeps: values, the administrator's changes, what runs and what does not, and enough to go back.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie' });
  await host.network.exposePort(registry.port);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function push(name: string, sketch: ExportsSketch, from = registry): Promise<string> {
  return (await pushExports(from.target(name), sketch)).digest;
}

async function berth(...args: readonly string[]): Promise<CommandResult> {
  return assertOk(await host.berth(...args));
}

async function install(name: string, ...args: readonly string[]): Promise<void> {
  await berth('install', ...args, '--name', name, registry.reference(name));
}

/** Without the watching, and whatever it may do more: other tests are about that. */
async function update(name: string, ...args: readonly string[]): Promise<CommandResult> {
  return berth('update', '-y', '--no-wait', ...args, name);
}

async function linkOf(name: string): Promise<string> {
  return (await host.sh(`readlink /var/lib/berth/${name}`)).trim();
}

async function deploymentsOf(name: string): Promise<readonly string[]> {
  const out = await host.sh(`cd /var/lib/berth && ls -d ${name}.*`);
  return out.trim().split('\n');
}

async function stateOf(name: string): Promise<string> {
  const { ActiveState, UnitFileState } = await host.unit(`${name}.service`);
  return `${ActiveState ?? ''} ${UnitFileState ?? ''}`;
}

/** Pushes a new image that differs only in its digest. */
async function pushNext(name: string, word: string, sketch: ExportsSketch = {}): Promise<string> {
  return push(name, { ...sketch, comment: word });
}

test('a container that does not run is not started, and one that is disabled stays so', async () => {
  await pushNext('calm', '1');
  await install('calm');
  assert.equal(await stateOf('calm'), 'inactive enabled');
  await pushNext('calm', '2');
  await update('calm');
  assert.equal(await stateOf('calm'), 'inactive enabled');
  await host.sh('systemctl start calm && systemctl disable calm');
  await pushNext('calm', '3');
  await update('calm');
  assert.equal(await stateOf('calm'), 'active disabled');
  await berth('rollback', '--no-wait', 'calm');
  assert.equal(await stateOf('calm'), 'active disabled');
  await berth('uninstall', 'calm');
});

test('another [Install] section replaces the links of a unit that is enabled, and of no other', async () => {
  const unit = (target: string): ExportsSketch => ({
    files: {
      'service.template': `[Service]\nExecStart=$EXEC_START\n[Install]\nWantedBy=${target}\n`,
    },
  });
  await push('links', unit('multi-user.target'));
  await install('links', '--start');
  await push('links', unit('graphical.target'));
  await update('links');
  const links = 'cd /etc/systemd/system && ls -d *.wants/links.service 2>/dev/null || true';
  assert.equal((await host.sh(links)).trim(), 'graphical.target.wants/links.service');
  assert.equal(await stateOf('links'), 'active enabled');
  assert.equal((await host.unit('links.service'))['NeedDaemonReload'], 'no');
  await berth('rollback', '--no-wait', 'links');
  assert.equal((await host.sh(links)).trim(), 'multi-user.target.wants/links.service');
  await host.sh('systemctl disable links');
  await update('links', '--retry');
  assert.equal((await host.sh(links)).trim(), '');
  await berth('uninstall', 'links');
});

test('values that were set stay set, others are given and taken, another image is followed', async () => {
  const sketch: ExportsSketch = {
    files: {
      'manifest.json': JSON.stringify({ defaultValues: { COLOUR: 'blue', SIZE: '1' } }),
      'config.json.template': configTemplate({
        process: {
          user: { uid: 0, gid: 0 },
          args: ['/probe', 'deaf'],
          env: ['COLOUR=$COLOUR', 'SIZE=$SIZE'],
          cwd: '/',
        },
      }),
    },
  };
  const first = await push('vals', sketch);
  await install('vals', '--set', 'COLOUR=red');
  const config = 'grep -oE "(COLOUR|SIZE)=[a-z0-9]+" /var/lib/berth/vals/config.json';
  assert.equal(await host.sh(config), 'COLOUR=red\nSIZE=1\n');
  await update('vals', '--set', 'SIZE=7');
  assert.equal(await host.sh(config), 'COLOUR=red\nSIZE=7\n');
  assert.match((await update('vals', '--set', 'SIZE=7')).stdout, /nothing changed/);
  await update('vals', '--unset', 'COLOUR');
  assert.equal(await host.sh(config), 'COLOUR=blue\nSIZE=7\n');
  const plan = await berth('update', '--plan', '--set', 'SIZE=9', 'vals');
  assert.doesNotMatch(plan.stderr, /was edited/);
  await host.sh('echo >>/var/lib/berth/vals/config.json');
  const edited = await berth('update', '--plan', '--set', 'SIZE=9', 'vals');
  assert.match(edited.stderr, /config\.json of 'vals' was edited/);
  assert.match(plan.stdout, /SIZE/);
  assert.match(plan.stdout, /Nothing was changed/);
  assert.equal(await host.sh(config), 'COLOUR=blue\nSIZE=7\n');

  const other = await push('other', { ...sketch, comment: 'another image' });
  assert.notEqual(first, other);
  await update('vals', '--rebase', registry.reference('other'));
  assert.equal(await host.sh(config), 'COLOUR=blue\nSIZE=7\n');
  const history = JSON.parse((await berth('history', '--json', 'vals')).stdout) as {
    deployments: { reference: string; digest: string; isCurrent: boolean }[];
  };
  assert.equal(history.deployments[0]?.digest, other);
  assert.equal(history.deployments[0].reference, registry.reference('other'));
  assert.match((await update('vals')).stdout, /up to date/);
  await berth('uninstall', 'vals');
});

test('H12 H16 H17 host files follow the version, and an administrator’s change is kept through all of it', async () => {
  const files = (text: string, more: Readonly<Record<string, string>>): ExportsSketch => ({
    comment: text,
    entries: Object.entries({ 'etc/hosty/main.conf': text, ...more }).map(([path, content]) => ({
      path: `exports/hostfs/${path}`,
      content,
    })),
  });
  const pristine = await snapshotChanging(host);
  const cat = async (file: string): Promise<string> =>
    host.sh(`cat /etc/hosty/${file} 2>/dev/null || true`);
  await push(
    'hosty',
    files('one\n', { 'etc/hosty/old.conf': 'old\n', 'etc/hosty/same.conf': 's\n' }),
  );
  await install('hosty');
  await push(
    'hosty',
    files('two\n', { 'etc/hosty/new.conf': 'new\n', 'etc/hosty/same.conf': 's\n' }),
  );
  await update('hosty');
  assert.equal(await cat('main.conf'), 'two\n');
  assert.equal(await cat('old.conf'), '', 'the new version does not bring it');
  assert.equal(await cat('new.conf'), 'new\n');

  await berth('rollback', '--no-wait', 'hosty');
  assert.deepEqual(
    [await cat('main.conf'), await cat('old.conf'), await cat('new.conf')],
    ['one\n', 'old\n', ''],
  );
  await host.sh('echo mine >/etc/hosty/main.conf; rm /etc/hosty/same.conf');
  const again = await update('hosty', '--retry');
  assert.match(
    again.stdout,
    /kept \/etc\/hosty\/main\.conf: it was changed on this host; the image's is in \/etc\/hosty\/main\.conf\.berth-new$/m,
  );
  assert.equal(await cat('main.conf'), 'mine\n', 'the administrator’s file was overwritten');
  assert.equal(await cat('main.conf.berth-new'), 'two\n');
  assert.equal(await cat('same.conf'), '', 'the administrator had removed it');
  assert.equal(await cat('new.conf'), 'new\n');

  // Something new must not stand there already, and the refusal changes nothing.
  await push('hosty', files('three\n', { 'etc/hosty/other.conf': 'image\n' }));
  await host.sh('echo foreign >/etc/hosty/other.conf');
  const before = await snapshotChanging(host);
  const refused = await host.berth('update', '--no-wait', 'hosty');
  assertRefusedInWords(refused, {
    status: 73,
    code: 'HOST_FILE_EXISTS',
    says: /other\.conf' is there already/,
  });
  assert.deepEqual(compareSnapshots(before, await snapshotChanging(host)), []);
  await update('hosty', '--keep-existing');
  assert.equal(await cat('other.conf'), 'foreign\n');
  await push('hosty', files('four\n', { 'etc/hosty/other.conf': 'image 4\n' }));
  await update('hosty');
  assert.equal(await cat('other.conf'), 'foreign\n', 'what was kept once is kept again');
  assert.equal(await cat('main.conf.berth-new'), 'four\n');
  const going = await berth('uninstall', '--plan', 'hosty');
  assert.match(going.stdout, /- \/etc\/hosty\/main\.conf\.berth-new$/m);
  await berth('uninstall', 'hosty');
  assert.equal(await cat('main.conf'), 'mine\n');
  assert.equal(await cat('main.conf.berth-new'), '');
  assert.equal(await cat('other.conf'), 'foreign\n');
  await host.sh('rm -r /etc/hosty');
  assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
});

test('F39 rolling back works with no registry, and with the image gone from the store', async () => {
  const own = await startRegistry();
  try {
    await host.network.exposePort(own.port);
    await pushExports(own.target('away'), { comment: '1' });
    await berth('install', '--start', own.reference('away'));
    await pushExports(own.target('away'), { comment: '2' });
    await update('away');
  } finally {
    await own[Symbol.asyncDispose]();
  }
  await host.sh('mv /var/lib/berth/.store /var/lib/berth/.gone');
  await berth('rollback', '--no-wait', 'away');
  assert.equal(await linkOf('away'), 'away.0');
  assert.equal(await stateOf('away'), 'active enabled');
  await host.sh('rm -rf /var/lib/berth/.store; mv /var/lib/berth/.gone /var/lib/berth/.store');
  const unreachable = await host.berth('update', 'away');
  assert.equal(unreachable.status, 75, unreachable.stderr);
  assert.equal(await stateOf('away'), 'active enabled');
  await berth('uninstall', 'away');
});

test('two deployments are kept and numbers used again; a pinned one stays', async () => {
  await pushNext('slots', '1');
  await install('slots');
  const seen: string[] = [];
  for (const word of ['2', '3', '4', '5']) {
    await pushNext('slots', word);
    await update('slots');
    seen.push(await linkOf('slots'));
    assert.equal((await deploymentsOf('slots')).length, 2);
  }
  assert.deepEqual(seen, ['slots.1', 'slots.2', 'slots.0', 'slots.1']);
  await berth('pin', 'slots', '0');
  await pushNext('slots', '6');
  await update('slots');
  await pushNext('slots', '7');
  await update('slots');
  assert.deepEqual(await deploymentsOf('slots'), ['slots.0', 'slots.2', 'slots.3']);
  const history = (await berth('history', 'slots')).stdout;
  assert.match(history, /^3 +current /m);
  assert.match(history, /^2 +previous /m);
  assert.match(history, /^0 +pinned /m);
  await berth('rollback', '--no-wait', '--to', '0', 'slots');
  assert.equal(await linkOf('slots'), 'slots.0');
  const missing = await host.berth('rollback', '--to', '9', 'slots');
  assert.equal(missing.status, 66, missing.stderr);
  await berth('pin', '--remove', 'slots');
  const result = await host.run([
    'env',
    'BERTH_KEEP_DEPLOYMENTS=4',
    ...['node', '/opt/berth/dist/bin/berth.cjs', 'update', '--no-wait', '--retry', 'slots'],
  ]);
  assertOk(result);
  assert.deepEqual(await deploymentsOf('slots'), ['slots.0', 'slots.1', 'slots.3']);
  await berth('uninstall', 'slots');
});

test('F38 a deployment that is not whole is not gone back to, and nothing is stopped for it', async () => {
  await pushNext('part', '1');
  await install('part', '--start');
  await pushNext('part', '2');
  await update('part');
  const { MainPID } = await host.unit('part.service');
  await host.sh('rm /var/lib/berth/part.0/launch.plan');
  const refused = await host.berth('rollback', 'part');
  assertRefusedInWords(refused, {
    status: 65,
    code: 'CONTAINER_STATE_INVALID',
    says: /deployment 0 is not whole: its launch plan is missing/,
  });
  assert.equal((await host.unit('part.service'))['MainPID'], MainPID);
  await berth('uninstall', 'part');
});

test('state stays over updates, and goes with --purge whichever version made it', async () => {
  const sketch = (folder: string): ExportsSketch => ({
    files: {
      'config.json.template': configTemplate({
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/state', type: 'bind', source: folder, options: ['rbind'] },
        ],
      }),
    },
    entries: [{ path: 'state/' }],
  });
  const pristine = await snapshotChanging(host);
  await push('state', sketch('$STATE_DIRECTORY/state-a'));
  await install('state', '--start');
  await host.sh('echo kept >/var/lib/state-a/file');
  await push('state', sketch('$STATE_DIRECTORY/state-b'));
  await update('state');
  await host.sh('test -d /var/lib/state-b && grep -q kept /var/lib/state-a/file');
  await push('state', { ...sketch('$STATE_DIRECTORY/state-b'), comment: 'again' });
  await update('state');
  assert.match(await host.sh('cat /etc/tmpfiles.d/tmpfiles-state.conf'), /state-b/);
  await berth('uninstall', '--purge', 'state');
  assert.deepEqual(compareSnapshots(pristine, await snapshotChanging(host)), []);
});

test('--all goes on after a failure, a line each, and ends with the worst status', async () => {
  for (const name of ['aa', 'bb', 'cc']) {
    await pushNext(name, '1');
    await install(name, '--start');
  }
  await pushNext('aa', '2');
  await push('bb', { files: { 'service.template': '[Service' }, comment: '2' });
  await pushNext('cc', '2');
  const result = await host.berth('update', '--all', '--no-wait');
  assert.equal(result.status, 65, result.stderr);
  assert.match(result.stdout, /^aa updated/m);
  assert.match(result.stdout, /^cc updated/m);
  assert.match(result.stderr, /cannot update 'bb'/);
  assert.equal(await linkOf('bb'), 'bb.0');
  assert.equal(await stateOf('bb'), 'active enabled');
  for (const name of ['aa', 'bb', 'cc']) await berth('uninstall', name);
});

test('what the new version may do beyond the old one is told; a guarded path that is new is refused', async () => {
  await push('more', {});
  await install('more');
  await push('more', {
    entries: [{ path: 'exports/hostfs/etc/profile.d/more.sh', content: 'echo hello\n' }],
  });
  const refused = await host.berth('update', '--no-wait', 'more');
  assert.equal(refused.status, 65, refused.stderr);
  assert.match(refused.stderr, /--allow-host-path \/etc\/profile\.d\/more\.sh/);
  const allowed = await update('more', '--allow-host-path', '/etc/profile.d/more.sh');
  assert.match(allowed.stdout, /new: file on the host \/etc\/profile\.d\/more\.sh/);
  await push('more', {
    entries: [{ path: 'exports/hostfs/etc/profile.d/more.sh', content: 'echo hello again\n' }],
  });
  await update('more');
  assert.match(await host.sh('cat /etc/profile.d/more.sh'), /again/);
  await berth('uninstall', 'more');
});

test('what goes down with a service comes up again after it, also after going back', async () => {
  await pushNext('base', '1');
  await install('base', '--start');
  const unit =
    '[Unit]\nRequires=base.service\nAfter=base.service\n[Service]\nExecStart=/bin/sleep 1000\n';
  await host.runOk(['sh', '-c', 'cat >/etc/systemd/system/user.service'], { input: unit });
  await host.sh('systemctl daemon-reload && systemctl start user');
  await pushNext('base', '2');
  await update('base');
  assert.equal((await host.unit('user.service'))['ActiveState'], 'active');
  await push('base', {
    comment: '3',
    files: {
      'service.template': '[Service]\nType=notify\nExecStart=$EXEC_START\n',
      'config.json.template': configTemplate({
        process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'exit', '3'], env: [], cwd: '/' },
      }),
    },
  });
  const failed = await host.berth('update', 'base');
  assert.equal(failed.status, 79, failed.stderr);
  assert.equal((await host.unit('base.service'))['ActiveState'], 'active');
  assert.equal((await host.unit('user.service'))['ActiveState'], 'active');
  await host.sh('systemctl stop user && rm /etc/systemd/system/user.service');
  await berth('uninstall', 'base');
});
