import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { resolveHostPaths } from '../../src/config/host-paths.js';
import { findMissingParents } from '../../src/containers/safe-parents.js';
import { assertFails } from '../support/assert-fails.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { configTemplate } from '../support/exports-image.js';
import { TempDir } from '../support/temp-dir.js';

// What stands on a host, or how berth is started there, when it is not as berth left it.

const PROGRAM = ownProgram();
const FILES = [{ path: 'probe', content: 'program', mode: 0o755 }];
const EXPORTS = { 'hostfs/etc/web/web.conf': 'port=80\n' };

each(
  'N12 nothing is removed through a NAME that berth did not make',
  [
    {
      name: 'a link to a deployment that is not there',
      make: (name: string) => {
        symlinkSync('web.7', name);
      },
    },
    {
      name: 'a link that leads out of the state directory',
      make: (name: string) => {
        symlinkSync('../../../etc', name);
      },
    },
    {
      name: 'a folder',
      make: (name: string) => {
        mkdirSync(name);
        writeFileSync(`${name}/victim`, 'of the host');
      },
    },
  ],
  async ({ make }) => {
    using tree = new BerthInTree();
    const image = tree.makeImage('web', FILES);
    const state = `${tree.path}/var/lib/berth`;
    mkdirSync(state, { recursive: true });
    writeFileSync(`${tree.path}/etc/victim`, 'of the host');
    make(`${state}/web`);
    for (const args of [
      ['install', '--name', 'web', image],
      ['uninstall', 'web'],
      ['apply', 'web'],
      ['verify', 'web'],
    ]) {
      const refused = await tree.run(...args);
      assert.notEqual(refused.status, 0, `${args[0] ?? ''}: ${refused.stdout}`);
      assert.doesNotMatch(refused.stderr, /internal error|^ {4}at /m);
    }
    assert.equal(readFileSync(`${tree.path}/etc/victim`, 'utf8'), 'of the host');
    const victim = `${state}/web/victim`;
    if (existsSync(victim)) assert.equal(readFileSync(victim, 'utf8'), 'of the host');
  },
);

test('N13 containers may be called what berth calls its own things', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', FILES);
  const names = ['store', 'journal', 'lock', 'tmp', 'locks', 'settings', 'launch'];
  for (const name of names) await tree.runOk('install', '--name', name, image);
  assert.match(await tree.runOk('fsck'), /all sound/);
  await tree.runOk('uninstall', ...names);
  assert.match(await tree.runOk('fsck'), /all sound/);
  assert.equal((await tree.run('install', '--name', '.store', image)).status, 64);
});

test('H05 a link of a user on the way to a host file is not walked', async () => {
  using dir = new TempDir();
  const paths = resolveHostPaths({ mode: 'system', env: {} });
  mkdirSync(`${dir.path}/elsewhere`);
  symlinkSync('elsewhere', `${dir.path}/web`);
  const find = (): Promise<readonly string[]> =>
    findMissingParents(paths, `${dir.path}/web/web.conf`);
  assert.deepEqual(await find(), [], "the control: a link of root's is walked");
  lchownSync(`${dir.path}/web`, 1000, 1000);
  await assertFails('HOST_PATH_REFUSED', find);
});

each<{
  readonly name: string;
  readonly bind?: string;
  readonly file: string;
  readonly ok: boolean;
}>(
  'H05 a host file is',
  [
    {
      name: 'refused where its container could put a link on the way',
      file: 'srv/web/conf.d/web.conf',
      ok: false,
    },
    { name: 'taken in the folder itself that is bound', file: 'srv/web/web.conf', ok: true },
    { name: 'taken beside it', file: 'srv/web2/conf.d/web.conf', ok: true },
    {
      name: 'taken where its container writes in all of the host',
      bind: '/',
      file: 'srv/web/conf.d/web.conf',
      ok: true,
    },
  ],
  async ({ bind = '/srv/web', file, ok }) => {
    using tree = new BerthInTree();
    const mount = { destination: '/data', type: 'bind', source: bind, options: ['rbind', 'rw'] };
    const exports = {
      'config.json.template': configTemplate({ mounts: [mount] }),
      [`hostfs/${file}`]: 'port=80\n',
    };
    const image = tree.makeImage('web', FILES, exports);
    const installed = await tree.run('install', '--name', 'web', image);
    assert.equal(installed.status === 0, ok, installed.stderr);
    if (!ok) {
      const why = `the image wants '/${file}' on the host, refusing: its container may write in '/srv/web', and could put a link in the place of '/srv/web/conf.d'`;
      assert.ok(installed.stderr.includes(why), installed.stderr);
      assert.ok(!existsSync(`${tree.path}/srv/web`));
      await tree.runOk('install', '--name', 'web', '--allow-host-path', `/${file}`, image);
    }
    assert.equal(readFileSync(`${tree.path}/${file}`, 'utf8'), 'port=80\n');
  },
);

/** An image whose container has a folder of the host to write in. */
const LENT = {
  'config.json.template': configTemplate({
    mounts: [{ destination: '/data', type: 'bind', source: '/srv/web', options: ['rbind', 'rw'] }],
  }),
};
const JOB = 'srv/web/conf.d/job';

test('H05 a link that the version before could put on the way leads no file of the next', async () => {
  using tree = new BerthInTree();
  await tree.runOk('install', '--name', 'web', tree.makeImage('web', FILES, LENT));
  mkdirSync(`${tree.path}/srv/web`, { recursive: true });
  mkdirSync(`${tree.path}/etc/shop.d`);
  symlinkSync('../../etc/shop.d', `${tree.path}/srv/web/conf.d`);
  const file = { [`hostfs/${JOB}`]: '* * * * * root id\n' };
  for (const exports of [file, { ...LENT, ...file }]) {
    tree.makeImage('web', FILES, exports);
    const updated = await tree.run('update', '-y', 'web');
    assert.deepEqual(readdirSync(`${tree.path}/etc/shop.d`), [], 'A FILE WAS LED ELSEWHERE');
    assert.match(updated.stderr, /could put a link in the place of '\/srv\/web\/conf\.d'/);
  }
});

/** As the container of a version that has the folder may leave it. */
function putLink(tree: BerthInTree, to: string): void {
  rmSync(`${tree.path}/srv/web/conf.d`, { recursive: true, force: true });
  mkdirSync(`${tree.path}/srv/web`, { recursive: true });
  symlinkSync(to, `${tree.path}/srv/web/conf.d`);
}

each<{
  readonly name: string;
  readonly between: 'two versions' | 'an uninstallation' | 'another container';
}>(
  'H05 a link into a guarded place leads no file there',
  [
    { name: 'past a version that no longer had the folder', between: 'two versions' },
    { name: 'past the container that put it', between: 'an uninstallation' },
    { name: 'of another container', between: 'another container' },
  ],
  async ({ between }) => {
    using tree = new BerthInTree();
    await tree.runOk('install', '--name', 'web', tree.makeImage('web', FILES, LENT));
    mkdirSync(`${tree.path}/etc/cron.d`);
    putLink(tree, '../../etc/cron.d');
    const next = tree.makeImage('web', FILES, {});
    if (between === 'two versions') await tree.runOk('update', '-y', 'web');
    if (between === 'an uninstallation') await tree.runOk('uninstall', 'web');
    tree.makeImage('web', FILES, { [`hostfs/${JOB}`]: '* * * * * root id\n' });
    const command =
      between === 'two versions'
        ? ['update', '-y', 'web']
        : ['install', '--name', between === 'an uninstallation' ? 'web' : 'shop', next];
    const refused = await tree.run(...command);
    assert.deepEqual(readdirSync(`${tree.path}/etc/cron.d`), [], 'A GUARDED PLACE WAS WRITTEN');
    assert.equal(refused.status, 65);
    const why = `the image wants '/${JOB}' on the host, refusing: a link on its way leads to '/etc/cron.d/job', and /etc/cron.d is loaded or run by programs of root`;
    assert.ok(refused.stderr.includes(why), refused.stderr);
    await tree.runOk(...command, '--allow-host-path', `/${JOB}`);
    assert.deepEqual(readdirSync(`${tree.path}/etc/cron.d`), ['job']);
  },
);

test('H05 a link to where the image could have put its file, or to a disk, is followed', async () => {
  for (const to of ['../shop', '../../mnt/disk']) {
    using tree = new BerthInTree();
    putLink(tree, to);
    const target = `${tree.path}/srv/web/${to}`;
    mkdirSync(target, { recursive: true });
    const image = tree.makeImage('web', FILES, { [`hostfs/${JOB}`]: 'port=80\n' });
    await tree.runOk('install', '--name', 'web', image);
    assert.deepEqual(readdirSync(target), ['job']);
  }
});

test('H05 a file that comes back is led nowhere by a link that came meanwhile', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', FILES, { [`hostfs/${JOB}`]: '* * * * * root id\n' });
  await tree.runOk('install', '--name', 'web', image);
  tree.makeImage('web', FILES, LENT);
  await tree.runOk('update', '-y', 'web');
  mkdirSync(`${tree.path}/etc/cron.d`);
  putLink(tree, '../../etc/cron.d');
  const back = await tree.runOk('rollback', 'web');
  assert.deepEqual(readdirSync(`${tree.path}/etc/cron.d`), [], 'A GUARDED PLACE WAS WRITTEN');
  assert.match(back, /web rolled back to/);
});

each<{ readonly name: string; readonly exports: Readonly<Record<string, string>> }>(
  'H05 a link into a guarded place leads there neither',
  [
    {
      name: 'what tmpfiles makes',
      exports: { 'tmpfiles.template': 'f /srv/web/conf.d/job 0644 root root - x\n' },
    },
    {
      name: 'a socket',
      exports: {
        'socket.template':
          '[Socket]\nListenStream=/srv/web/conf.d/job\n[Install]\nWantedBy=sockets.target\n',
      },
    },
  ],
  async ({ exports }) => {
    using tree = new BerthInTree();
    mkdirSync(`${tree.path}/etc/cron.d`);
    putLink(tree, '../../etc/cron.d');
    const image = tree.makeImage('web', FILES, exports);
    const refused = await tree.run('install', '--name', 'web', image);
    assert.match(refused.stderr, /'\/srv\/web\/conf\.d\/job'.*a link on its way leads to '\/etc/);
    assert.equal(refused.status, 65);
  },
);

test('H18 a target that is full is found out, and everything taken back', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', FILES, {
    'hostfs/etc/web/web.conf': 'port=80\n'.repeat(10_000),
  });
  using etc = mountTmpfs(`${tree.path}/etc/web`, '16k');
  const failed = await tree.run('install', '--name', 'web', image);
  assert.equal(failed.status, 73, failed.stderr);
  assert.deepEqual(readdirSync(etc.path), []);
  assert.ok(!existsSync(`${tree.path}/etc/systemd/system/web.service`));
  assert.ok(!existsSync(`${tree.path}/var/lib/berth/web`));
});

test('F49 uninstalling works on a disk that is full', async () => {
  using tree = new BerthInTree();
  using disk = mountTmpfs(`${tree.path}/var/lib/berth`, '8m');
  const image = tree.makeImage('web', FILES);
  await tree.runOk('install', '--name', 'web', image);
  spawnSync('dd', ['if=/dev/zero', `of=${disk.path}/.fill`, 'bs=4k']);
  assert.notEqual((await tree.run('install', '--name', 'more', image)).status, 0, 'it is full');
  const gone = await tree.run('uninstall', 'web');
  assert.equal(gone.status, 0, gone.stderr);
  assert.ok(!existsSync(`${tree.path}/etc/systemd/system/web.service`));
});

/** A file system of its own, full soon. */
function mountTmpfs(path: string, size: string): Disposable & { readonly path: string } {
  mkdirSync(path, { recursive: true });
  const options = `size=${size},mode=755`;
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'berth-test', path]).status, 0);
  return {
    path,
    [Symbol.dispose]: () => {
      spawnSync('umount', ['-l', path]);
    },
  };
}

each(
  'F47 berth works however it is started',
  [
    { name: 'with an umask of nothing', shell: 'umask 000; exec "$@"' },
    { name: 'with an umask of all', shell: 'umask 077; exec "$@"' },
    { name: 'with nothing open', shell: 'exec "$@" <&- >&- 2>&-' },
    {
      name: 'in a folder that was removed',
      shell: 'mkdir "$DIR/gone"; cd "$DIR/gone"; rmdir "$DIR/gone"; exec "$@"',
    },
    { name: 'with TMPDIR and HOME nowhere', shell: 'TMPDIR=/nowhere HOME=/nowhere exec "$@"' },
  ],
  async ({ shell }) => {
    using tree = new BerthInTree();
    using dir = new TempDir();
    const image = tree.makeImage('web', FILES, EXPORTS);
    const argv = [
      process.execPath,
      PROGRAM,
      '--root',
      tree.path,
      'install',
      '--name',
      'web',
      image,
    ];
    const { status, stderr } = spawnSync('sh', ['-c', shell, 'sh', ...argv], {
      env: { ...process.env, DIR: dir.path },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const modeOf = (path: string): string =>
      (statSync(`${tree.path}${path}`).mode & 0o7777).toString(8);
    assert.deepEqual(
      [
        modeOf('/etc/web/web.conf'),
        modeOf('/etc/web'),
        modeOf('/etc/systemd/system/web.service'),
        modeOf('/var/lib/berth/web.0'),
        modeOf('/var/lib/berth/web.0/rootfs'),
      ],
      ['644', '755', '644', '700', '755'],
    );
    assert.match(await tree.runOk('verify', 'web'), /as installed/);
    rmSync(`${dir.path}/gone`, { recursive: true, force: true });
  },
);
