import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { unmountAll } from '../../src/sys/unmount.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { runCommand, runOk } from '../support/run-command.js';
import { TempDir } from '../support/temp-dir.js';

/** A directory to mount on, with nothing mounted on it any more when the test ends. */
class MountPlace implements Disposable {
  readonly #folder = new TempDir();
  readonly path = join(this.#folder.path, 'a place');

  constructor() {
    mkdirSync(this.path);
  }

  /** The options of what is mounted there, by findmnt(8); undefined if nothing is. */
  async options(): Promise<readonly string[] | undefined> {
    const found = await runCommand(['findmnt', '-n', '-o', 'VFS-OPTIONS', '-M', this.path]);
    return found.status === 0 ? found.stdout.trim().split(',') : undefined;
  }

  [Symbol.dispose](): void {
    unmountAll(this.path);
    this.#folder[Symbol.dispose]();
  }
}

const FILES = [
  { path: 'probe', content: 'program', mode: 0o4755 },
  { path: 'etc/', mode: 0o755 },
  { path: 'etc/name', content: 'mounted' },
];

/** The checkouts that were made for mounts. */
function checkouts(tree: BerthInTree): readonly string[] {
  return readdirSync(join(tree.path, 'var/lib/berth/.mounts'));
}

test('an image is mounted read-only, without set-user-ID programs, and goes without a trace', async () => {
  using tree = new BerthInTree();
  using place = new MountPlace();
  const image = tree.makeImage('one', FILES);
  await tree.runOk('pull', image);
  assert.match(await tree.runOk('mount', image, place.path), /^sha256:\w{64} mounted on /);
  const options = (await place.options()) ?? [];
  for (const option of ['ro', 'nosuid', 'nodev']) assert.ok(options.includes(option), option);
  assert.ok(!options.includes('noexec'));
  assert.equal(readFileSync(join(place.path, 'etc/name'), 'utf8'), 'mounted');
  assert.equal(statSync(join(place.path, 'probe')).mode & 0o7777, 0o4755);
  const write = await runCommand(['touch', join(place.path, 'etc/name')]);
  assert.match(write.stderr, /Read-only file system/);
  assert.equal(checkouts(tree).length, 1);
  // What nobody has a name for any more stays as long as it is mounted.
  await tree.runOk('images', 'delete', image);
  await tree.runOk('images', 'prune');
  assert.equal(readFileSync(join(place.path, 'etc/name'), 'utf8'), 'mounted');

  assert.equal(await tree.runOk('unmount', place.path), `${place.path} unmounted\n`);
  assert.equal(await place.options(), undefined);
  assert.deepEqual(checkouts(tree), []);
});

test('of a container the root is mounted as it is, and no checkout is made', async () => {
  using tree = new BerthInTree();
  using place = new MountPlace();
  await tree.runOk('install', '--name', 'one', tree.makeImage('one', FILES));
  const mounted = JSON.parse(
    await tree.runOk('--json', 'mount', '-o', 'suid,noexec,noatime', 'one', place.path),
  ) as unknown;
  assert.deepEqual(mounted, { what: 'one.0', directory: place.path });
  const options = (await place.options()) ?? [];
  for (const option of ['ro', 'nodev', 'noexec', 'noatime'])
    assert.ok(options.includes(option), option);
  assert.ok(!options.includes('nosuid'));
  const inode = (path: string): number => statSync(path).ino;
  const root = join(tree.path, 'var/lib/berth/one.0/rootfs');
  assert.equal(inode(place.path), inode(root));
  await tree.runOk('unmount', place.path);
  assert.deepEqual(checkouts(tree), []);
  assert.equal(readFileSync(join(root, 'etc/name'), 'utf8'), 'mounted');
});

test('a checkout whose mount is gone by itself goes with the next command', async () => {
  using tree = new BerthInTree();
  using place = new MountPlace();
  using other = new MountPlace();
  const image = tree.makeImage('one', FILES);
  await tree.runOk('pull', image);
  await tree.runOk('mount', image, place.path);
  const [first = ''] = checkouts(tree);
  // As umount(8), a restart or a kill leaves it.
  await runOk(['umount', place.path]);
  mkdirSync(join(tree.path, 'var/lib/berth/.mounts', '0'.repeat(32)));
  await tree.runOk('mount', image, other.path);
  const left = checkouts(tree);
  assert.equal(left.length, 1);
  assert.notEqual(left[0], first);
});

test('what is mistyped leaves nothing behind', async () => {
  using tree = new BerthInTree();
  using place = new MountPlace();
  const earlier = readdirSync(tree.path, { recursive: true });
  assert.equal((await tree.run('mount', 'nothing', place.path)).status, 66);
  assert.equal((await tree.run('unmount', place.path)).status, 64);
  assert.deepEqual(readdirSync(tree.path, { recursive: true }), earlier);
});

test('what cannot be mounted, or is mounted by others, is said in a line and nothing is left', async () => {
  using tree = new BerthInTree();
  using place = new MountPlace();
  await tree.runOk('install', '--name', 'one', tree.makeImage('one', FILES));
  const refused = async (status: number, pattern: RegExp, ...args: string[]): Promise<void> => {
    const result = await tree.run(...args);
    assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stdout, '');
  };
  const state = join(tree.path, 'var/lib/berth');
  await refused(64, /'rw' cannot be/, 'mount', '-o', 'rw', 'one', place.path);
  for (const options of ['bind', 'shared', 'remount', 'subvol=x', 'rro', 'idmap'])
    await refused(64, /cannot be chosen/, 'mount', '-o', options, 'one', place.path);
  await refused(64, /no directory/, 'mount', 'one', join(place.path, 'missing'));
  await refused(64, /no directory/, 'mount', 'one', join(state, 'one.0/deployment.json'));
  for (const own of [state, join(state, 'one.0/rootfs'), '/'])
    await refused(64, /what is there is needed/, 'mount', 'one', own);
  symlinkSync(state, join(place.path, 'link'));
  await refused(64, /what is there is needed/, 'mount', 'one', join(place.path, 'link'));
  await refused(66, /no container, no deployment and no image/, 'mount', 'two', place.path);
  await refused(66, /did you mean 'one'/, 'mount', 'onee', place.path);

  await refused(64, /berth mounted nothing/, 'unmount', place.path);
  await refused(64, /no directory/, 'unmount', join(place.path, 'missing'));
  await runOk(['mount', '-t', 'tmpfs', 'tmpfs', place.path]);
  await refused(64, /berth mounted nothing/, 'unmount', place.path);
  assert.notEqual(await place.options(), undefined);
  await runOk(['umount', place.path]);

  await tree.runOk('mount', 'one', place.path);
  const busy = await runCommand([
    ...['sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', place.path],
    ...tree.command('unmount', place.path),
  ]);
  assert.match(busy.stderr, /it is in use/);
  assert.notEqual(await place.options(), undefined);
  await tree.runOk('unmount', place.path);
  assert.deepEqual(checkouts(tree), []);
});
