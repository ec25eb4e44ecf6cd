import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';
import { writeLayout } from '../support/write-layout.js';

// Sockets and timers of an image in a tree that is not running: what is enabled there is up at its first boot.

const SOCKET = '[Socket]\nListenStream=$PORT\n[Install]\nWantedBy=sockets.target\n';
const SERVICE = '[Service]\nExecStart=$EXEC_START\n';

const FILES = [{ path: 'probe', content: 'x', mode: 0o755 }];

function image(tree: BerthInTree, exports: Readonly<Record<string, string | undefined>>): string {
  return tree.makeImage('web', FILES, {
    'service.template': SERVICE,
    'manifest.json': JSON.stringify({ defaultValues: { PORT: '80' } }),
    ...exports,
  });
}

/** Enable links, and units of web with their drop-ins. */
function unitsOf(tree: BerthInTree): readonly string[] {
  const folder = `${tree.path}/etc/systemd/system`;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes('/') || name.startsWith('web.'))
    .sort();
}

test('a socket is enabled, and goes again with the version that has none', async () => {
  using tree = new BerthInTree();
  await tree.runOk('install', image(tree, { 'socket.hbs': SOCKET.replace('$PORT', '{{PORT}}') }));
  const withSocket = [
    ...['sockets.target.wants/web.socket', 'web.service', 'web.service.d'],
    ...['web.service.d/10-berth.conf', 'web.socket', 'web.socket.d', 'web.socket.d/10-berth.conf'],
  ];
  assert.deepEqual(
    unitsOf(tree).filter((name) => !name.startsWith('sysinit')),
    withSocket,
  );
  const text = readFileSync(`${tree.path}/etc/systemd/system/web.socket`, 'utf8');
  assert.equal(text, SOCKET.replace('$PORT', '80'));
  assert.match(await tree.runOk('verify', 'web'), /as installed/);
  assert.match(await tree.runOk('info', 'web'), /PORT/);

  image(tree, {
    'timer.template': '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n',
  });
  const differences = await tree.runOk('update', '--plan', 'web');
  assert.match(differences, /web\.timer/);
  await tree.runOk('update', 'web');
  assert.deepEqual(
    unitsOf(tree).filter((name) => /socket|timer/.test(name)),
    [...['timers.target.wants/web.timer', 'web.timer', 'web.timer.d'], 'web.timer.d/10-berth.conf'],
  );
  await tree.runOk('rollback', 'web');
  assert.deepEqual(
    unitsOf(tree).filter((name) => !name.startsWith('sysinit')),
    withSocket,
  );
});

test('what is installed without being enabled stays so, also what an update brings', async () => {
  using tree = new BerthInTree();
  await tree.runOk('install', '--no-enable', image(tree, { 'socket.template': SOCKET }));
  assert.ok(!existsSync(`${tree.path}/etc/systemd/system/sockets.target.wants/web.socket`));
  image(tree, {
    'socket.template': SOCKET,
    'timer.template': '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n',
  });
  await tree.runOk('update', 'web');
  assert.ok(!existsSync(`${tree.path}/etc/systemd/system/timers.target.wants/web.timer`));
});

test('a job whose unit berth makes is started by its timer alone', async () => {
  using tree = new BerthInTree();
  const timer = '[Timer]\nOnCalendar=daily\n';
  const reference = tree.makeImage('job', FILES, {
    'service.template': undefined,
    'timer.template': timer,
  });
  await tree.runOk('install', reference);
  const service = readFileSync(`${tree.path}/etc/systemd/system/job.service`, 'utf8');
  assert.match(service, /^Type=oneshot$/m);
  assert.doesNotMatch(service, /Restart=|\[Install\]/);
});

test('an image without units runs at the times that its administrator gives, and again at boot without', async () => {
  using tree = new BerthInTree();
  const layer = [{ path: 'job', content: 'x', mode: 0o755 }];
  const plain = writeLayout(tree.layout('job'), { layers: [layer], process: { Cmd: ['/job'] } });
  const unit = (name: string): string =>
    readFileSync(`${tree.path}/etc/systemd/system/${name}`, 'utf8');
  const plan = await tree.runOk(
    'install',
    '--plan',
    '--on-calendar',
    'Mon 02:30',
    '--name=job',
    plain,
  );
  assert.match(plan, /by job\.timer \(OnCalendar=Mon 02:30\)/);
  const install = ['install', '--on-calendar', 'Mon 02:30', '--name', 'job', plain];
  await tree.runOk(...install);
  assert.match(unit('job.timer'), /^OnCalendar=Mon 02:30$/m);
  assert.match(unit('job.service'), /^Type=oneshot$/m);
  assert.doesNotMatch(unit('job.service'), /Restart=|\[Install\]/);
  assert.ok(unitsOf(tree).includes('timers.target.wants/job.timer'));
  assert.match(await tree.runOk(...install), /nothing changed/);
  // The choice stays with the container.
  await tree.runOk('update', '--set', 'ON_CALENDAR=hourly', 'job');
  assert.match(unit('job.timer'), /^OnCalendar=hourly$/m);
  await tree.runOk('update', '--set', 'DESCRIPTION=other', 'job');
  assert.match(unit('job.timer'), /^Description=other$[^]*^OnCalendar=hourly$/m);
  const wrong = await tree.run('update', '--set', 'ON_CALENDAR=soon', 'job');
  assert.match(wrong.stderr, /OnCalendar= expects .*, got 'soon'/);
  await tree.runOk('update', '--unset', 'ON_CALENDAR', 'job');
  assert.ok(!unitsOf(tree).some((name) => name.includes('timer')));
  assert.match(unit('job.service'), /^Type=exec$/m);
});

each<{
  readonly name: string;
  readonly times?: string;
  readonly exports?: Readonly<Record<string, string | undefined>>;
  readonly says: RegExp;
}>(
  'times are refused',
  [
    {
      name: 'that are none',
      times: 'sometimes',
      says: /--on-calendar expects daily and the like.*, got 'sometimes'\n/,
    },
    { name: 'where the image brings a service', says: /for images without units of their own/ },
    {
      name: 'where it brings a timer',
      exports: { 'service.template': undefined, 'timer.template': '[Timer]\nOnCalendar=daily\n' },
      says: /for images without units of their own/,
    },
    {
      name: 'where it has no service',
      exports: { 'manifest.json': '{"noContainerService":true}' },
      says: /for images without units of their own/,
    },
  ],
  async ({ times = 'daily', exports = {}, says }) => {
    using tree = new BerthInTree();
    const refused = await tree.run('install', '--on-calendar', times, image(tree, exports));
    assert.equal(refused.status, 64, refused.stderr);
    assert.match(refused.stderr, says);
    assert.ok(!existsSync(`${tree.path}/var/lib/berth/web`));
  },
);

test('what is refused leaves nothing: a path that the bus has, a directive that nobody has', async () => {
  using tree = new BerthInTree();
  const bus = SOCKET.replace('$PORT', '/run/dbus/system_bus_socket');
  const reference = image(tree, { 'socket.template': bus });
  await tree.run('images', 'list');
  const except = ['var/lib/berth'];
  const before = await snapshotTree(tree.path, { except });
  const refused = await tree.run('install', reference);
  assert.equal(refused.status, 65, refused.stderr);
  assert.match(
    refused.stderr,
    /belongs to the service manager\n *hint: allow it with '--allow-host-path/,
  );
  image(tree, { 'socket.template': `${SOCKET}Bogus=1\n` });
  const bogus = await tree.run('install', reference);
  assert.match(bogus.stderr, /the socket of 'web' is not acceptable: .*Bogus/);
  image(tree, { 'service.template': `${SERVICE}PIDFile=/etc/shadow\n` });
  const removes = await tree.run('install', reference);
  assert.match(removes.stderr, /'\/etc\/shadow' on the host, refusing: .* who may log in/);
  assert.deepEqual(compareSnapshots(before, await snapshotTree(tree.path, { except })), []);
});
