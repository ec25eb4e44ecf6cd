import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { each } from '../support/each.js';
import { type CommandResult, runCommand } from '../support/run-command.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { type LayoutSketch, writeLayout } from '../support/layout-image.js';
import { TempDir } from '../support/temp-dir.js';

// Images that say something of other containers, on a tree that is not running: resolved, written, refused.

const PROGRAM = ownProgram();

class Place implements Disposable {
  readonly #folder = new TempDir();
  readonly #tree = new TempDir();
  readonly #image: (name: string) => string;

  constructor(images: Readonly<Record<string, LayoutSketch>>) {
    pathsInFolder(this.#tree.path);
    this.#image = this.publish(images);
  }

  /** Replaces all images by these. */
  publish(images: Readonly<Record<string, LayoutSketch>>): (name: string) => string {
    return writeLayout(`${this.#folder.path}/layout`, images);
  }

  install(name: string, ...more: readonly string[]): Promise<CommandResult> {
    return this.berth('install', '--name', name, ...more, this.#image(name));
  }

  async installOk(name: string, ...more: readonly string[]): Promise<CommandResult> {
    const result = await this.install(name, ...more);
    assert.equal(result.status, 0, result.stderr);
    return result;
  }

  berth(...args: readonly string[]): Promise<CommandResult> {
    return runCommand([process.execPath, PROGRAM, '--root', this.#tree.path, ...args]);
  }

  addUnit(name: string, text: string): void {
    const folder = `${this.#tree.path}/etc/systemd/system`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/${name}`, text);
  }

  dropIn(name: string): readonly string[] {
    const file = `${this.#tree.path}/etc/systemd/system/${name}.service.d/10-berth.conf`;
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /^(?:Requires|After|Before|Conflicts)=/.test(line));
  }

  onDisk(path: string): string {
    return `${this.#tree.path}${path}`;
  }

  get installed(): readonly string[] {
    const state = `${this.#tree.path}/var/lib/berth`;
    if (!existsSync(state)) return [];
    return readdirSync(state).filter((name) => !name.startsWith('.') && !/\.\d+$/.test(name));
  }

  record(name: string): Record<string, unknown> {
    const file = `${this.#tree.path}/var/lib/berth/${name}/deployment.json`;
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
    this.#tree[Symbol.dispose]();
  }
}

const says = (manifest: Readonly<Record<string, unknown>>): LayoutSketch => ({ manifest });

test('a requirement that is installed becomes Requires= and After=, and is recorded', async () => {
  using place = new Place({
    etcd: says({ provides: ['key-value-store'] }),
    app: says({ requires: ['etcd'], after: ['network-online.target', 'later'] }),
    other: { labels: { 'io.berth.requires': 'key-value-store', 'io.berth.before': 'app' } },
  });
  await place.installOk('etcd');
  await place.installOk('app');
  await place.installOk('other');
  assert.deepEqual(place.dropIn('app'), [
    'Requires=etcd.service',
    'After=etcd.service',
    'After=later.service',
    'After=network-online.target',
    'After=berth-recover.service',
    'After=systemd-tmpfiles-setup.service',
  ]);
  assert.ok(place.dropIn('other').includes('Requires=etcd.service'));
  assert.ok(place.dropIn('other').includes('Before=app.service'));
  assert.deepEqual(place.record('app')['dependencies'], {
    provides: [],
    requires: ['etcd'],
    after: ['later', 'network-online.target'],
    before: [],
    conflicts: [],
  });
});

test('who is installed later under a name that was provided for stands in its own drop-in', async () => {
  using place = new Place({
    app: says({ after: ['database'] }),
    postgres: says({ provides: ['database'] }),
  });
  await place.installOk('app');
  await place.installOk('postgres');
  assert.ok(place.dropIn('postgres').includes('Before=app.service'));
});

test('requirements that nobody fulfils are refused, all of them named, and nothing changes', async () => {
  using place = new Place({ app: says({ requires: ['etcd', 'redis', 'x.mount'] }) });
  const refused = await place.install('app');
  assert.equal(refused.status, 69, refused.stderr);
  assert.match(refused.stderr, /it requires 'etcd', 'redis', 'x\.mount'/);
  assert.deepEqual(place.installed, []);
  using other = new Place({ app: says({ requires: ['etcd', 'redis'] }) });
  const hinted = await other.install('app');
  assert.match(hinted.stderr, /--with-dependencies.* install etcd', 'berth .* install redis'/);
});

test('--with-dependencies installs what is missing, in order, and --plan shows it before', async () => {
  using place = new Place({
    app: says({ requires: ['web', { name: 'store', image: 'unused' }, 'etcd'] }),
    web: says({ requires: ['etcd.service'] }),
    etcd: {},
    store: {},
  });
  await place.installOk('store');
  const plan = await place.installOk('app', '--with-dependencies', '--plan');
  assert.deepEqual(place.installed, ['store']);
  assert.match(plan.stdout, /Install etcd from[^]*Install web from[^]*Install app from/);
  assert.match(plan.stdout, /requires etcd: a container/);
  const done = await place.installOk('app', '--with-dependencies');
  assert.match(done.stdout, /^etcd installed[^]*^web installed[^]*^app installed/m);
  assert.deepEqual(place.installed, ['app', 'etcd', 'store', 'web']);
  assert.ok(place.dropIn('web').includes('Requires=etcd.service'));
  assert.ok(place.dropIn('app').includes('Requires=store.service'));
  const again = await place.installOk('app', '--with-dependencies');
  assert.match(again.stdout, /installed already/);
});

test('the image that a manifest names for a requirement is the one that is taken', async () => {
  using elsewhere = new TempDir();
  const there = writeLayout(`${elsewhere.path}/layout`, { postgres: {} });
  using place = new Place({
    app: says({ requires: [{ name: 'database', image: there('postgres') }] }),
    other: { labels: { 'io.berth.requires': `second=${there('postgres')}` } },
  });
  await place.installOk('app', '--with-dependencies');
  await place.installOk('other', '--with-dependencies');
  assert.deepEqual(place.installed, ['app', 'database', 'other', 'second']);
});

test('a failure takes back only what this command installed', async () => {
  using place = new Place({
    app: says({ requires: ['first', 'second'] }),
    first: {},
    second: { files: { 'service.template': '[Service]\nExecStart=$EXEC_START\nX=$NEEDED\n' } },
    third: {},
  });
  await place.installOk('third');
  const refused = await place.install('app', '--with-dependencies');
  assert.equal(refused.status, 64, refused.stderr);
  assert.match(refused.stderr, /cannot install 'second', which 'app' requires/);
  assert.deepEqual(place.installed, ['third']);
});

test('a failure in the middle takes back what was installed for it already', async () => {
  using place = new Place({
    app: says({ requires: ['first', 'second'] }),
    first: { files: { 'hostfs/etc/shared.conf': 'one\n' } },
    second: { files: { 'hostfs/etc/shared.conf': 'another\n' } },
  });
  const refused = await place.install('app', '--with-dependencies');
  assert.equal(refused.status, 73, refused.stderr);
  assert.match(refused.stderr, /shared\.conf/);
  assert.deepEqual(place.installed, []);
  assert.ok(!existsSync(place.onDisk('/etc/shared.conf')));
  assert.ok(!existsSync(place.onDisk('/etc/systemd/system/first.service')));
});

test('a new version that requires more is refused, or installs it with --with-dependencies', async () => {
  using place = new Place({ app: {} });
  await place.installOk('app');
  place.publish({
    app: says({ requires: ['web'] }),
    web: says({ requires: ['etcd'] }),
    etcd: {},
  });
  const refused = await place.berth('update', 'app');
  assert.equal(refused.status, 69, refused.stderr);
  assert.match(refused.stderr, /it requires 'web'[^]*--with-dependencies.* install web'/);
  assert.deepEqual(place.installed, ['app']);
  const plan = await place.berth('update', '--with-dependencies', '--plan', 'app');
  assert.equal(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, /^Install etcd from[^]*^Install web from[^]*\bapp\b[^]*Nothing was/m);
  assert.deepEqual(place.installed, ['app']);
  const json = await place.berth('update', '--with-dependencies', '--plan', '--json', 'app');
  assert.match(json.stdout, /"installs":\s*\[\s*\{\s*"name":\s*"etcd"/);
  const done = await place.berth('update', '--with-dependencies', 'app');
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /^etcd installed[^]*^web installed[^]*^app updated/m);
  assert.deepEqual(place.installed, ['app', 'etcd', 'web']);
  assert.ok(place.dropIn('app').includes('Requires=web.service'));
  assert.ok(place.dropIn('web').includes('Requires=etcd.service'));
  const again = await place.berth('update', '--with-dependencies', 'app');
  assert.match(again.stdout, /app is up to date/);
});

test('an update that fails takes back what was installed for it', async () => {
  using place = new Place({
    app: { files: { 'hostfs/etc/app.conf': 'one\n' } },
    other: { files: { 'hostfs/etc/other.conf': 'of the other\n' } },
  });
  await place.installOk('app');
  await place.installOk('other');
  place.publish({
    app: {
      ...says({ requires: ['first', 'second'] }),
      files: { 'hostfs/etc/shared.conf': 'one\n' },
    },
    first: {},
    second: { files: { 'hostfs/etc/shared.conf': 'another\n' } },
  });
  const refused = await place.berth('update', '-y', '--with-dependencies', 'app');
  assert.equal(refused.status, 73, refused.stderr);
  assert.match(refused.stderr, /shared\.conf/);
  assert.deepEqual(place.installed, ['app', 'other']);
  assert.ok(!existsSync(place.onDisk('/etc/shared.conf')));
  assert.ok(existsSync(place.onDisk('/etc/app.conf')));
});

test('for a set, what is required is not installed along with it', async () => {
  using place = new Place({ app: {} });
  await place.installOk('app');
  assert.equal((await place.berth('sets', 'create', 'shop', 'app')).status, 0);
  place.publish({ app: says({ requires: ['etcd'] }), etcd: {} });
  const refused = await place.berth('update', '--with-dependencies', '@shop');
  assert.equal(refused.status, 64, refused.stderr);
  assert.match(refused.stderr, /one container at a time/);
  const told = await place.berth('update', '@shop');
  assert.equal(told.status, 69, told.stderr);
  assert.match(told.stderr, /'berth --root \S+ install etcd'/);
  assert.doesNotMatch(told.stderr, /--with-dependencies/);
  assert.deepEqual(place.installed, ['app']);
});

each(
  'a cycle is refused by its name',
  [
    {
      name: 'of two that are installed together',
      images: { a: says({ requires: ['b'] }), b: says({ requires: ['a'] }) },
      before: [],
      last: 'a',
      cycle: /: b -> a -> b|: a -> b -> a/,
    },
    {
      name: 'that the last of three closes',
      images: {
        a: says({ after: ['b'] }),
        b: says({ after: ['c'] }),
        c: says({ after: ['a'] }),
      },
      before: ['a', 'b'],
      last: 'c',
      cycle: /: c -> a -> b -> c\n/,
    },
    {
      name: 'through a unit of the host',
      images: { a: says({ after: ['host.service'], before: ['sooner.service'] }) },
      before: [],
      last: 'a',
      cycle: /: a -> host -> sooner -> a\n/,
      units: true,
    },
    {
      name: 'through the start of the system',
      images: { a: says({ before: ['sysinit.target'] }) },
      before: [],
      last: 'a',
      cycle: /: a -> (?:basic\.target -> )?sysinit\.target -> a\n/,
    },
  ],
  async (row) => {
    using place = new Place(row.images);
    if ('units' in row) place.addUnit('host.service', '[Unit]\nAfter=sooner.service\n');
    for (const name of row.before) await place.installOk(name);
    const refused = await place.install(row.last, '--with-dependencies');
    assert.equal(refused.status, 65, refused.stderr);
    assert.match(refused.stderr, row.cycle);
    assert.deepEqual(place.installed, row.before);
  },
);

test('conflicts are refused in both directions, also with what is provided', async () => {
  using place = new Place({
    nginx: says({ provides: ['web-server'], conflicts: ['web-server'] }),
    apache: says({ provides: ['web-server'] }),
    caddy: says({ conflicts: ['nginx'] }),
    fine: says({ conflicts: ['nothing'] }),
  });
  await place.installOk('nginx');
  for (const [name, words] of [
    ['apache', /the container 'nginx' must not stand beside 'web-server'/],
    ['caddy', /must not stand beside 'nginx', which the container 'nginx' is/],
  ] as const) {
    const refused = await place.install(name);
    assert.equal(refused.status, 73, refused.stderr);
    assert.match(refused.stderr, words);
  }
  await place.installOk('fine');
  assert.deepEqual(place.installed, ['fine', 'nginx']);
});

test('what others require is not uninstalled, except by force or along with them', async () => {
  using place = new Place({
    etcd: says({ provides: ['store'] }),
    spare: says({ provides: ['store'] }),
    app: says({ requires: ['store'] }),
  });
  await place.installOk('etcd');
  await place.installOk('app');
  const refused = await place.berth('uninstall', 'etcd');
  assert.equal(refused.status, 1, refused.stderr);
  assert.match(refused.stderr, /app requires it/);
  const both = await place.berth('uninstall', 'etcd', 'app');
  assert.equal(both.status, 0, both.stderr);
  assert.match(both.stdout, /^app uninstalled[^]*^etcd uninstalled/m);
  await place.installOk('etcd');
  await place.installOk('app');
  assert.equal((await place.berth('uninstall', '--force', 'etcd')).status, 0);
  await place.installOk('etcd');
  await place.installOk('spare');
  assert.equal((await place.berth('uninstall', 'etcd')).status, 0, 'another one provides it');
});

each(
  'P13 a name that would be more than a name is refused',
  [
    { name: 'a second directive', bad: 'etcd\nExecStart=/bin/sh' },
    { name: 'a second name', bad: 'etcd reboot.target' },
    { name: 'a specifier', bad: '%n' },
    { name: 'a line that goes on', bad: 'etcd\\' },
    { name: 'a path', bad: '../etcd' },
    { name: 'an option', bad: '-f' },
    { name: 'nothing', bad: '' },
    { name: 'a quote', bad: '"etcd"' },
  ],
  async ({ bad }) => {
    for (const sketch of [
      says({ requires: [bad] }),
      says({ conflicts: [bad] }),
      { labels: { 'io.berth.after': bad === '' ? '""' : bad } },
    ]) {
      using place = new Place({ app: sketch });
      const refused = await place.install('app');
      assert.equal(refused.status, 65, `${refused.stdout}${refused.stderr}`);
      assert.match(refused.stderr, /is not the name of a unit or container/);
      assert.deepEqual(place.installed, []);
    }
  },
);
