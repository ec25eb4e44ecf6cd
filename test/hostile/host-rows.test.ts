import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { test } from 'node:test';

import { reportError } from '../../src/cli/report-error.js';
import { openMainProcess } from '../../src/containers/main-process.js';
import { withPinnedPath } from '../../src/containers/pinned-directory.js';
import { planHostFiles, type HostFilesRequest } from '../../src/containers/plan-host-files.js';
import { addContext } from '../../src/errors/with-context.js';
import type { DirectoryNode } from '../../src/layer/tree.js';
import type { UnitManager } from '../../src/systemd/unit-manager.js';
import { assertFails } from '../support/assert-fails.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { imageTree } from '../support/image-tree.js';
import { TempDir } from '../support/temp-dir.js';
import { compareSnapshots, snapshotTree } from '../support/tree-snapshot.js';

// Rows of bad input and faults of the host that have no home of their own.

test('H06 a folder on the way that is swapped for a link while a file is copied leads nowhere', async () => {
  using dir = new TempDir();
  const checkout = `${dir.path}/rootfs`;
  mkdirSync(`${checkout}/exports/hostfs`, { recursive: true });
  writeFileSync(`${checkout}/exports/hostfs/conf`, 'of the image');
  mkdirSync(`${dir.path}/secret/hostfs`, { recursive: true });
  writeFileSync(`${dir.path}/secret/hostfs/conf`, 'of the host');
  const swap = (): void => {
    renameSync(`${checkout}/exports`, `${checkout}/before`);
    symlinkSync(`${dir.path}/secret`, `${checkout}/exports`);
  };
  const relative = 'exports/hostfs/conf';
  const pinned = await withPinnedPath(checkout, relative, async (path) => {
    swap();
    return readFile(path, 'utf8');
  });
  assert.equal(pinned, 'of the image', 'THE HOST WAS READ THROUGH A SWAPPED FOLDER');
  // Positive control: by its path it is the host's file now.
  assert.equal(readFileSync(`${checkout}/${relative}`, 'utf8'), 'of the host');
  await assert.rejects(withPinnedPath(checkout, relative, readFile), { code: 'ENOTDIR' });
});

each(
  'H20 a hostfs with',
  [
    { name: 'more files than anybody needs', count: 10_001, size: 0 },
    { name: 'a file of 100 GiB', count: 1, size: 100 * 1024 ** 3 },
    { name: 'files of 3 GiB together', count: 3, size: 1024 ** 3 },
  ],
  async ({ count, size }) => {
    using dir = new TempDir();
    const meta = {
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtimeSeconds: 0,
      mtimeNanoseconds: 0,
      xattrs: [],
    };
    const node = { kind: 'file', meta, size, contentSha256: '0'.repeat(64) } as const;
    const names = Array.from({ length: count }, (_, index) => [`f${index}`, { node }] as const);
    const tree = imageTree({ hostfs: { etc: { web: Object.fromEntries(names) } } });
    let reads = 0;
    const request: HostFilesRequest = {
      paths: pathsInFolder(dir.path),
      hostfs: tree.root.entries.get('hostfs') as DirectoryNode,
      renames: new Map(),
      templates: new Set(),
      renderTemplate: (_path, text) => text,
      readFile: () => {
        reads++;
        return Promise.resolve(Buffer.alloc(0));
      },
      policy: { allowed: [] },
      onConflict: 'refuse',
      ownerOf: () => undefined,
      own: new Set(),
      foreign: new Set(),
    };
    await assertFails('LIMIT_EXCEEDED', () => planHostFiles(request));
    assert.equal(reads, 0, 'nothing was read before it was counted');
  },
);

test('F26 the number of a process that is another one by then is not entered', async () => {
  using root = new TempDir();
  copyFileSync('/bin/busybox', `${root.path}/busybox`);
  const other = spawn('chroot', [root.path, '/busybox', 'sh', '-c', 'echo inside; read line']);
  const { pid = 0 } = other;
  try {
    await once(other.stdout, 'data');
    const state = { mainPid: pid, invocationId: 'a'.repeat(32) };
    const manager = (later: object): UnitManager => {
      const answers = [state, later];
      return { getStates: () => Promise.resolve([answers.shift()]) } as unknown as UnitManager;
    };
    // Its service ended, and the kernel gave the number to somebody else, between asking and opening.
    for (const later of [
      { mainPid: undefined, invocationId: state.invocationId },
      { mainPid: pid, invocationId: 'b'.repeat(32) },
      { mainPid: pid + 1, invocationId: state.invocationId },
    ]) {
      await assertFails('CONTAINER_NOT_RUNNING', () =>
        openMainProcess(manager(later), 'x.service'),
      );
    }
    // Positive control: whoever goes by the number alone has the wrong one open.
    closeSync(openSync(`/proc/${pid}`, 'r'));
    using opened = await openMainProcess(manager(state), 'x.service');
    assert.ok(opened.fd > 0);
  } finally {
    other.kill('SIGKILL');
  }
});

test('C-exec a launcher that still makes its container is not entered: it has the root of the host', async () => {
  using root = new TempDir();
  copyFileSync('/bin/busybox', `${root.path}/busybox`);
  const script = 'read line; exec chroot "$0" /busybox sh -c "echo inside; read line"';
  const launcher = spawn('sh', ['-c', script, root.path]);
  try {
    const state = { mainPid: launcher.pid, invocationId: 'a'.repeat(32) };
    let looks = 0;
    const manager = {
      getStates: () => {
        if (++looks === 4) launcher.stdin.write('\n');
        return Promise.resolve([state]);
      },
    } as unknown as UnitManager;
    using opened = await openMainProcess(manager, 'x.service');
    assert.ok(looks > 4, 'it was entered before it had a container');
    assert.equal(readlinkSync(`/proc/self/fd/${opened.fd}/root`), root.path);
  } finally {
    launcher.kill('SIGKILL');
  }
});

each(
  'F27 with everything of the time of',
  [
    { name: '1970', stamp: '1970-01-02 00:00' },
    { name: 'ten years from now', stamp: '+10 years' },
  ],
  async ({ stamp }) => {
    using tree = new BerthInTree();
    const image = tree.makeImage('web', [{ path: 'srv/' }, { path: 'srv/a', content: 'x' }]);
    await tree.runOk('install', '--name', 'web', image);
    const state = `${tree.path}/var/lib/berth`;
    // All of berth's own records. The files of an image have its times, which are content; that of config.json says
    // whether an editor was at it, which is a warning.
    const own = ['rootfs', 'rootfs/*', 'objects/*', 'config.json'].flatMap((path) => [
      '-not',
      '-path',
      `*/${path}`,
    ]);
    execFileSync('find', [state, ...own, '-exec', 'touch', '-h', '-d', stamp, '{}', '+']);
    await tree.runOk('images', 'prune', '-y');
    await tree.runOk('fsck');
    await tree.runOk('verify', 'web');
    const again = await tree.runOk('install', '--name', 'web', image);
    assert.match(again, /nothing changed/);
    await tree.runOk('update', '--set', 'RUN_DIRECTORY=/run/x', 'web');
    await tree.runOk('rollback', 'web');
    // Positive control: who takes away what is older, or newer, than an hour finds all of it.
    const old = execFileSync('find', [state, '-name', 'deployment.json', '-mmin', '+60']);
    const early = execFileSync('find', [state, '-name', 'deployment.json', '-newermt', '+1 hour']);
    assert.match(`${old.toString()}${early.toString()}`, /deployment\.json/);
  },
);

test('F43 a folder that is immutable is told as such, and nothing is left half done', async (t) => {
  using tree = new BerthInTree('/var/tmp');
  const image = tree.makeImage('web', [{ path: 'srv/' }]);
  const units = `${tree.path}/etc/systemd/system`;
  mkdirSync(units, { recursive: true });
  try {
    execFileSync('chattr', ['+i', units], { stdio: 'pipe' });
  } catch {
    t.skip('the file system below /var/tmp has no attributes');
    return;
  }
  try {
    const refused = await tree.run('install', '--name', 'web', image);
    assert.equal(refused.status, 71, refused.stderr);
    assert.match(refused.stderr, /cannot install 'web'[^]*not permitted[^]*lsattr/);
    assert.doesNotMatch(refused.stderr, /run berth as root|internal error/);
    assert.match(await tree.runOk('list'), /no containers/);
  } finally {
    execFileSync('chattr', ['-i', units]);
  }
  await tree.runOk('install', '--name', 'web', image);
});

test('F43 what is immutable keeps a container from being uninstalled, and nothing of it goes', async (t) => {
  using tree = new BerthInTree('/var/tmp');
  const image = tree.makeImage('web', [{ path: 'srv/' }]);
  await tree.runOk('install', '--name', 'web', image);
  const units = `${tree.path}/etc/systemd/system`;
  for (const [path, says] of [
    [`${units}/multi-user.target.wants`, /wants' is immutable, so that '.*\/web\.service' cannot/],
    [`${units}/web.service`, /web\.service' is immutable$/m],
    [`${units}/web.service.d`, /web\.service\.d' is immutable, so that '.*conf' cannot/],
  ] as const) {
    try {
      execFileSync('chattr', ['+i', path], { stdio: 'pipe' });
    } catch {
      t.skip('the file system below /var/tmp has no attributes');
      return;
    }
    const before = await snapshotTree(units);
    try {
      const refused = await tree.run('uninstall', 'web');
      assert.equal(refused.status, 71, refused.stderr);
      assert.match(refused.stderr, says);
      assert.match(refused.stderr, new RegExp(`^hint: run 'chattr -i ${path}', then`, 'm'));
      assert.equal(refused.stderr.match(/because/g)?.length, 1, refused.stderr);
      assert.deepEqual(compareSnapshots(before, await snapshotTree(units)), []);
    } finally {
      execFileSync('chattr', ['-i', path]);
    }
  }
  await tree.runOk('verify', 'web');
  await tree.runOk('uninstall', 'web');
});

test('every failed system call is one line with what, to what, why and mostly what to do', () => {
  for (const code of Object.keys(osConstants.errno)) {
    const error = Object.assign(new Error(code), { code, syscall: 'rename', path: '/srv/x' });
    let text = '';
    const status = reportError(addContext("cannot install 'web'", error), {
      stderr: { write: (chunk: string) => (text += chunk) },
      env: {},
      json: false,
      debug: false,
    });
    assert.match(
      text,
      /^berth: cannot install 'web'\n {2}because: rename '\/srv\/x': [^\n]+\n/,
      code,
    );
    assert.doesNotMatch(text, new RegExp(`because: .*: ${code}\n`), `${code} has no words`);
    assert.ok([71, 73, 77].includes(status), `${code}: ${status}`);
  }
});
