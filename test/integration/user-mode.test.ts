import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/command-asserts.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import {
  configTemplate,
  pushExports,
  SERVICE_TEMPLATE,
  type ExportsSketch,
} from '../support/exports-image.js';
import { HostUser } from '../support/host-user.js';
import { pushStockProbe } from '../support/probe-image.js';
import { assertRefusedInWords } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import type { CommandResult } from '../support/run-command.js';
import { shortSoak } from '../support/short-soak.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';
import { choosePoints } from '../torture/kill-points.js';
import { WatchedUser } from '../torture/watched-user.js';

// An ordinary user and the service manager that is the user's own: no root, no capabilities, nothing outside of the home.

let registry: RealRegistry;
let host: BootedHost;
let user: HostUser;
let watched: WatchedUser;
let outside: TreeSnapshot;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'trixie', prepare: shortSoak });
  await host.network.exposePort(registry.port);
  user = await HostUser.create(host, 'alice', 1000);
  watched = new WatchedUser(host, user);
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const image = (name: string): string => `${registry.host}/${name}`;

async function berth(...args: readonly string[]): Promise<CommandResult> {
  return assertOk(await user.berth(...args));
}

test('without a service manager a user is told what to do', async () => {
  await pushExports(registry.target('web'));
  assertRefusedInWords(await user.berth('install', image('web')), {
    status: 69,
    code: 'SYSTEMD_UNAVAILABLE',
    says: /this user has no service manager running/,
  });
  const { stderr } = await user.run(['node', '/opt/berth/dist/bin/berth.cjs', 'list', '--user'], {
    env: { XDG_RUNTIME_DIR: '' },
  });
  assert.match(stderr, /^hint: let it run without a session, too \('loginctl enable-linger/m);
  const asRoot = await host.berth('--user', 'list');
  assertRefusedInWords(asRoot, { status: 64, code: 'USAGE', says: /users other than root/ });
  await user.linger();
  outside = await watched.lookOutside();
});

test('an image of no exports runs in the manager of the user, with its volume in the home', async () => {
  await pushStockProbe(registry.target('stock'), {
    Entrypoint: ['/probe'],
    Cmd: ['ready'],
    Volumes: { '/data': {} },
  });
  const result = await berth('install', '--start', image('stock'));
  assert.match(result.stdout, /stock\.service is active/);
  const unit = await user.unit('stock.service');
  assert.equal(unit['FragmentPath'], '/home/alice/.config/systemd/user/stock.service');
  assert.equal(unit['UnitFileState'], 'enabled');
  await watched.assertRuns('stock', '/probe ready');
  assert.ok(lstatSync(join(host.root, user.home, '.local/state/berth/stock/data')).isDirectory());
  assert.match((await berth('list')).stdout, /^stock +active +enabled +0 /m);
  assert.match((await berth('top')).stdout, /^stock +\d+ +1000 .*\/probe ready$/m);
});

test('a published image runs, notifies, and starts with the manager of the user', async () => {
  await pushExports(registry.target('web'), {
    files: {
      'service.template': SERVICE_TEMPLATE.replace('[Service]', '[Service]\nType=notify'),
      'config.json.template': version('1', 'ready'),
      'tmpfiles.template': 'd ${STATE_DIRECTORY}/${NAME} 0700 ${HOST_UID} ${HOST_GID} - -\n',
    },
  });
  const installed = await berth('install', image('web'), '--start');
  assert.match(installed.stderr, /WantedBy=multi-user\.target becomes default\.target/);
  assert.equal((await user.unit('web.service'))['Type'], 'notify');
  assert.equal((await user.unit('web.service'))['ActiveState'], 'active');
  const { stdout } = await berth('exec', 'web', '--', '/probe', 'show');
  assert.match(stdout, /^pid 2 uid 0 gid 0$/m);
  assert.match((await berth('verify')).stdout, /^web\.0: as installed$/m);
  assert.match((await berth('fsck')).stdout, /all sound/);
  await host.runOk(['systemctl', 'restart', 'user@1000.service']);
  await user.started();
  await watched.assertRuns('web', '/probe ready --v=1');
  // The journal asks whose a line is when it comes: the last words of a program that ends may be nobody's.
  await user.run(['systemctl', '--user', 'kill', '--kill-whom=main', '-s', 'HUP', 'web.service']);
  await waitUntil('its log', async () => {
    assert.match((await berth('logs', 'web')).stdout, /web\[\d+\]: reloaded/);
    return true;
  });
});

test('an update that is not well goes back, a good one stays, and a rollback takes it back', async () => {
  await pushExports(registry.target('web'), {
    files: { 'config.json.template': version('2', 'exit') },
  });
  const bad = await user.berth('update', 'web');
  assert.notEqual(bad.status, 0, bad.stdout);
  await watched.assertRuns('web', '/probe ready --v=1');
  await pushExports(registry.target('web'), {
    files: { 'config.json.template': version('3', 'deaf') },
  });
  await berth('update', 'web');
  await watched.assertRuns('web', '/probe deaf --v=3');
  await berth('rollback', 'web');
  await watched.assertRuns('web', '/probe ready --v=1');
  await berth('uninstall', '--purge', 'web', 'stock');
});

test('what was made in the run-time directory is made again when the user comes back', async () => {
  await pushExports(registry.target('run'), {
    files: {
      'tmpfiles.template': 'd ${RUN_DIRECTORY}/${NAME} 0700 ${HOST_UID} ${HOST_GID} - -\n',
      'config.json.template': configTemplate({
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          {
            destination: '/mnt',
            type: 'bind',
            source: '${RUN_DIRECTORY}/${NAME}',
            options: ['bind'],
          },
        ],
      }),
    },
    entries: [{ path: 'mnt/' }],
  });
  await berth('install', '--start', image('run'));
  await host.sh(`
    systemctl stop user@1000.service user-runtime-dir@1000.service
    test ! -e ${user.runtimeDir}
    systemctl start user@1000.service`);
  await user.started();
  await watched.assertRuns('run', '/probe deaf');
  await berth('uninstall', 'run');
});

test('T27 an image of another owner, with set-id bits and devices, is checked out as the user can have it', async () => {
  await pushExports(registry.target('odd'), {
    entries: [
      { path: 'bin/' },
      { path: 'bin/su', content: 'set-user-ID', mode: 0o4755 },
      { path: 'shadow', content: 'secret', mode: 0, gid: 42 },
      { path: 'mail', content: 'foreign', uid: 33, gid: 8 },
      { path: 'null', type: 'character-device', major: 1, minor: 3 },
      { path: 'null2', type: 'hardlink', link: 'null' },
      { path: 'pipe', type: 'fifo' },
      { path: 'locked/', mode: 0o500 },
      { path: 'locked/in/', mode: 0 },
      { path: 'locked/in/file', content: 'deep' },
    ],
  });
  await berth('install', '--start', image('odd'));
  const root = `${user.home}/.local/share/berth/odd/rootfs`;
  assert.equal(await host.sh(`find ${root}/ -perm /6000 -o -not -user alice -o -type c`), '');
  assert.match((await berth('verify', 'odd')).stdout, /^odd\.0: as installed$/m);
  await user.run(['rm', `${root}/pipe`]);
  await user.run(['chmod', '0755', `${root}/bin/su`]);
  await user.run(['touch', `${root}/bin/new`]);
  const drifted = await user.berth('verify', 'odd');
  assert.match(drifted.stdout, /rootfs\/pipe: it is missing/);
  assert.match(drifted.stdout, /hint: 'berth --user fsck --repair'/);
  await user.run(['rm', `${root}/bin/new`]);
  await berth('fsck', '--repair');
  assert.match((await berth('verify', 'odd')).stdout, /^odd\.0: as installed$/m);
  await berth('uninstall', 'odd');
  assert.equal(await host.sh(`ls -A ${user.home}/.local/share/berth | grep odd || true`), '');
});

test('what needs root is refused in one line', async () => {
  for (const args of [
    ['mount', image('odd'), '/home/alice'],
    ['unmount', '/home/alice'],
    ['scan', 'odd'],
    ['adopt', 'odd'],
    ['adopt', '--all'],
  ]) {
    const says = /needs root, which '--user' does without/;
    assertRefusedInWords(await user.berth(...args), { status: 77, code: 'NEEDS_ROOT', says });
  }
  for (const args of [
    ['install', '--system', image('odd')],
    ['list', '--root', '/'],
    ['install', '--runtime', 'crun', image('odd')],
  ]) {
    const result = await user.berth(...args);
    assert.notEqual(result.status, 0, args.join(' '));
    assert.equal(result.stdout, '');
  }
});

test('H02 an image that is called as what other programs have in the home gets nothing there', async () => {
  await pushExports(registry.target('systemd'), {
    files: {
      'tmpfiles.template':
        'd ${CONF_DIRECTORY}/${NAME}/user 0700 - - - -\nf ${CONF_DIRECTORY}/${NAME}/user/evil.service 0600 - - - [Service]\nd ${RUN_DIRECTORY}/${NAME} 0700 - - - -\n',
    },
  });
  await pushStockProbe(registry.target('dbus-1'), {
    Entrypoint: ['/probe', 'deaf'],
    Volumes: { '/services': {} },
  });
  await berth('install', image('systemd'));
  await berth('install', image('dbus-1'));
  const found = await host.sh(`
    ls ${user.home}/.config/systemd/user/evil.service ${user.home}/.local/share/dbus-1 2>/dev/null || true
    ls -ld ${user.home}/.config/berth/etc/systemd/user/evil.service ${user.home}/.local/state/berth`);
  assert.deepEqual(
    found.split('\n').map((line) => line.split(' ')[0]),
    ['-rw-------', 'drwx------', ''],
    `the image has put something where programs of the user read it: ${found}`,
  );
  await user.run(['touch', `${user.home}/.local/state/berth/dbus-1/services/kept`]);
  await berth('uninstall', 'dbus-1');
  await berth('uninstall', '--purge', 'systemd');
  // What one left goes with its own purge, and not with that of another.
  assert.equal(await host.sh(`ls ${user.home}/.local/state/berth/dbus-1/services`), 'kept\n');
  await user.run(['rm', '-r', `${user.home}/.local/state/berth/dbus-1`]);
});

test('what an image wants of the system is refused before anything is changed', async () => {
  const wishes: Readonly<Record<string, readonly [ExportsSketch, RegExp]>> = {
    etc: [
      { entries: [{ path: 'exports/hostfs/etc/wish/wish.conf', content: 'a=b\n' }] },
      /the image brings '\/etc\/wish\/wish.conf', and this user may not write in '\/etc'/,
    ],
    home: [
      { entries: [{ path: 'exports/hostfs/home/alice/.bashrc', content: 'rm -rf ~\n' }] },
      /'\/home\/alice\/.bashrc' on the host, refusing/,
    ],
    state: [
      { files: { 'tmpfiles.template': 'd /var/lib/state - - - - -\n' } },
      /needs '\/var\/lib\/state', and this user may not write in '\/var\/lib'/,
    ],
    autostart: [
      { files: { 'tmpfiles.template': 'd /home/alice/.config/${NAME}/more - - - - -\n' } },
      /'\/home\/alice\/.config\/autostart\/more' on the host, refusing/,
    ],
    account: [
      {
        files: {
          'service.template': SERVICE_TEMPLATE.replace('[Service]', '[Service]\nUser=mail'),
        },
      },
      /runs services as that user only/,
    ],
  };
  const before = await watched.lookAtHome();
  for (const [name, [sketch, says]] of Object.entries(wishes)) {
    await pushExports(registry.target(name), sketch);
    const result = await user.berth('install', image(name));
    assert.notEqual(result.status, 0, `the wish of '${name}' was granted`);
    assert.match(result.stderr, says);
  }
  const elsewhere = { env: { XDG_CONFIG_HOME: `${user.home}/elsewhere` } };
  const unseen = await user.run(
    ['node', '/opt/berth/dist/bin/berth.cjs', '--user', 'install', image('etc')],
    elsewhere,
  );
  assertRefusedInWords(unseen, {
    status: 78,
    code: 'CONFIG_INVALID',
    says: /does not look for units in '\/home\/alice\/elsewhere\/systemd\/user'/,
  });
  assert.deepEqual(compareSnapshots(before, await watched.lookAtHome()), []);
});

test('F12 a command that is killed is finished or undone, by recover and when the manager starts', async () => {
  await pushExports(registry.target('tiny'), {
    files: { 'config.json.template': version('1', 'deaf') },
  });
  await berth('pull', image('tiny'));
  const pristine = await watched.lookAtHome();
  const args = ['install', image('tiny')];
  const { calls } = await watched.supervise(args, {});
  await berth('uninstall', 'tiny');
  assert.deepEqual(compareSnapshots(pristine, await watched.lookAtHome()), []);
  const points = choosePoints(calls, { root: `${user.home}/.local/share/berth`, limit: 4 });
  assert.ok(points.length > 3, `${calls.length} calls`);
  for (const [index, point] of points.entries()) {
    const killed = await watched.supervise(args, { killAt: point.number });
    assert.equal(killed.fired, 'killed', JSON.stringify(point));
    const where = `after a kill at ${point.call} ${point.places.join(' ')}`;
    if (index % 2 === 0) await berth('recover');
    else {
      await host.runOk(['systemctl', 'restart', 'user@1000.service']);
      await user.started();
    }
    const journal = await host.sh(`ls -A ${user.home}/.local/share/berth/.journal`);
    assert.equal(journal, '', where);
    await berth(...args);
    assert.match((await berth('verify', 'tiny')).stdout, /^tiny\.0: as installed$/m, where);
    await berth('uninstall', 'tiny');
    assert.deepEqual(compareSnapshots(pristine, await watched.lookAtHome()), [], where);
  }
});

test('the timer of a user is one of the user', async () => {
  await berth('policy', '--enable-timer');
  assert.equal((await user.unit('berth-update.timer'))['ActiveState'], 'active');
  await berth('policy', '--disable-timer');
  assert.equal((await user.unit('berth-update.timer'))['LoadState'], 'not-found');
});

test('nothing outside of the home has changed', async () => {
  assert.equal(await host.sh('ls -A /run/user/1000/berth 2>/dev/null || true'), '');
  assert.deepEqual(compareSnapshots(outside, await watched.lookOutside()), []);
});

test('the configuration of a user counts, and else that of the system without its stores', async () => {
  const own = join(host.root, user.home, '.config/berth');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'berth.conf'), '[network]\nparallel = "many"\n');
  assertRefusedInWords(await user.berth('list'), {
    status: 78,
    code: 'CONFIG_INVALID',
    says: /\/home\/alice\/.config\/berth\/berth.conf/,
  });
  await host.sh(`rm -r ${user.home}/.config/berth`);
  await host.sh('printf \'[storage]\\nbackend = "ostree"\\n\' >>/etc/berth/berth.conf');
  assert.match((await berth('pull', image('tiny'))).stdout, /sha256:/);
  await host.sh("sed -i '/storage/d;/backend/d' /etc/berth/berth.conf");
});

function version(word: string, verb: string): string {
  return configTemplate({
    process: { user: { uid: 0, gid: 0 }, args: ['/probe', verb, `--v=${word}`], cwd: '/' },
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }] },
  });
}
