import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { ownProgram } from '../../src/base/own-files.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { withFileLock } from '../support/file-lock.js';
import { type CommandResult, runCommand, runOk } from '../support/run-command.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { TempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';
import { writeLayout } from '../support/write-layout.js';

// The whole of install and uninstall on a tree that is not running, with an image out of a layout.

const PROGRAM = ownProgram();

/** A layout with one system container that brings a configuration file for the host. */
async function makeLayout(folder: string): Promise<string> {
  const hostfs = `${folder}/exports/hostfs/etc/web`;
  mkdirSync(hostfs, { recursive: true });
  writeFileSync(`${hostfs}/web.conf`, 'port=80\n');
  writeFileSync(`${folder}/exports/manifest.json`, '{"version": "1.0", "\\u001b[2J": 1}');
  writeFileSync(`${folder}/exports/service.template`, SERVICE_TEMPLATE);
  writeFileSync(`${folder}/exports/config.json.template`, configTemplate());
  // umoci 0.4 leaves out the padding of a last file, which GNU tar and berth call a cut archive.
  mkdirSync(`${folder}/exports/zz`);
  await runOk(['umoci', 'init', '--layout', `${folder}/layout`]);
  await runOk(['umoci', 'new', '--image', `${folder}/layout:web`]);
  await runOk([
    'umoci',
    'insert',
    '--image',
    `${folder}/layout:web`,
    `${folder}/exports`,
    '/exports',
  ]);
  return `oci:${folder}/layout:web`;
}

function berth(root: string, ...args: readonly string[]): Promise<CommandResult> {
  return runCommand([process.execPath, PROGRAM, '--root', root, ...args]);
}

test('installing again succeeds though the administrator edited the configuration that the image brought', async () => {
  using folder = new TempDir();
  using tree = new TempDir();
  pathsInFolder(tree.path);
  const image = await makeLayout(folder.path);
  const install = (...more: string[]): Promise<CommandResult> =>
    berth(tree.path, 'install', '--name', 'web', ...more, image);

  const first = await install();
  assert.equal(first.status, 0, first.stderr);
  writeFileSync(`${tree.path}/etc/web/web.conf`, 'port=8080\n');
  const again = await install();
  assert.equal(again.status, 0, again.stderr);
  assert.match((await install('--plan')).stdout, /nothing/i);
  assert.equal(
    (await install('--set', 'RUN_DIRECTORY=/run/elsewhere')).status,
    73,
    'other values are another thing',
  );

  const gone = await berth(tree.path, 'uninstall', 'web');
  assert.equal(gone.status, 0, gone.stderr);
  assert.match(gone.stdout, /kept \/etc\/web\/web\.conf/);
  assert.equal(readFileSync(`${tree.path}/etc/web/web.conf`, 'utf8'), 'port=8080\n');
  assert.ok(!existsSync(`${tree.path}/etc/systemd/system/web.service`));
});

test('uninstalling does not offer to remove what another container keeps its state in, and says which is whose', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'srv/' }], {
    'tmpfiles.template': 'd ${STATE_DIRECTORY}/shared 0700\n',
  });
  for (const name of ['one', 'two', 'three']) await tree.runOk('install', '--name', name, image);
  mkdirSync(`${tree.path}/var/lib/shared/data`, { recursive: true });
  const kept = (output: string): string | undefined => /kept (.*)$/m.exec(output)?.[1];
  const others = '/var/lib/shared: another container uses it';
  assert.equal(kept(await tree.runOk('uninstall', 'one')), others);
  assert.equal(kept(await tree.runOk('uninstall', '--purge', 'two')), others);
  const own = '/var/lib/shared: the state of the container, which is yours to remove';
  assert.equal(kept(await tree.runOk('uninstall', 'three')), own);
  assert.ok(existsSync(`${tree.path}/var/lib/shared/data`));
});

test('P22 an image whose container could lead its tmpfiles lines elsewhere is refused, unless it is allowed', async () => {
  using tree = new BerthInTree();
  const state = { destination: '/data', type: 'bind', source: '${STATE_DIRECTORY}/${NAME}' };
  const image = (options: readonly string[]): string =>
    tree.makeImage('web', [{ path: 'data/' }], {
      'config.json.template': configTemplate({
        mounts: [{ ...state, options: ['bind', ...options] }],
      }),
      'tmpfiles.template': 'f ${STATE_DIRECTORY}/${NAME}/d/x 0644 - - - evil\n',
    });
  const refused = await tree.run('install', '--name', 'web', image(['rw']));
  assert.equal(refused.status, 65, refused.stderr);
  assert.match(refused.stderr, /the container may write in '\/var\/lib\/web'.*put a link/);
  assert.match(refused.stderr, /--allow-host-path \/var\/lib\/web\/d\/x/);
  const allowed = ['--allow-host-path', '/var/lib/web/d/x'];
  await tree.runOk('install', '--name', 'web', ...allowed, image(['rw']));
  await tree.runOk('uninstall', 'web');
  await tree.runOk('install', '--name', 'web', image(['ro']));
});

test('neither a mistyped image nor a container that was uninstalled leaves a lock file', async () => {
  using folder = new TempDir();
  using tree = new TempDir();
  pathsInFolder(tree.path);
  const locks = (): readonly string[] =>
    readdirSync(`${tree.path}/var/lib/berth/.locks`).filter((file) => !file.startsWith('.'));
  const missing = await berth(tree.path, 'install', `oci:${folder.path}/no-such-thing`);
  assert.equal(missing.status, 66, missing.stderr);
  assert.deepEqual(locks(), []);
  const image = await makeLayout(folder.path);
  assert.equal((await berth(tree.path, 'install', '--name', 'web', image)).status, 0);
  assert.deepEqual(locks(), ['web.lock']);
  assert.equal((await berth(tree.path, 'uninstall', 'web')).status, 0);
  assert.deepEqual(locks(), []);
});

test('F18 containers that have files of the host in common come and go at the same time', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'srv/' }], {
    'hostfs/etc/shared/deep/web.conf': 'port=80\n',
  });
  const conf = `${tree.path}/etc/shared/deep/web.conf`;
  const both = (...args: readonly string[]): Promise<unknown> =>
    Promise.all(['one', 'two'].map((name) => tree.runOk(...args.map((arg) => arg || name))));
  for (let round = 0; round < 2; round += 1) {
    await both('install', '--name', '', image);
    assert.ok(existsSync(conf));
    await both('uninstall', '');
    assert.ok(!existsSync(`${tree.path}/etc/shared`), 'each left it to the other');
  }
  // Nobody puts any there while another looks what may go.
  await tree.runOk('install', '--name', 'one', image);
  let installing: Promise<string> | undefined;
  await withFileLock(`${tree.path}/var/lib/berth/.locks/.host-files.lock`, async () => {
    installing = tree.runOk('install', '--name', 'two', image);
    await waitUntil('the link', () => existsSync(`${tree.path}/var/lib/berth/two/config.json`));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(!existsSync(`${tree.path}/etc/systemd/system/two.service`));
  });
  await installing;
  await tree.runOk('uninstall', 'one');
  assert.ok(existsSync(conf));
  await tree.runOk('verify', 'two');
});

test('H03 absolute links of a tree lead nobody onto the machine that builds it', async () => {
  using folder = new TempDir();
  const image = await makeLayout(folder.path);
  const links = [
    { link: '/etc/web', what: 'a folder for a host file' },
    { link: '/var/lib', what: 'the state directory' },
    { link: '/etc/systemd/system', what: 'the folder of units' },
  ];
  for (const { link, what } of links) {
    using tree = new TempDir();
    using outside = new TempDir();
    pathsInFolder(tree.path);
    rmSync(`${tree.path}${link}`, { recursive: true, force: true });
    symlinkSync(outside.path, `${tree.path}${link}`);
    writeFileSync(`${tree.path}${link}/here`, '');
    assert.deepEqual(readdirSync(outside.path), ['here'], 'a naive path goes there');
    const refused = await berth(tree.path, 'install', '--name', 'web', image);
    assert.equal(refused.status, 65, `${what}: ${refused.stderr}`);
    assert.match(refused.stderr, /leads out of the tree/);
    assert.deepEqual(readdirSync(outside.path), ['here'], what);
  }
});

test('P31 what an image brings is shown without its control characters', async () => {
  using folder = new TempDir();
  using tree = new TempDir();
  pathsInFolder(tree.path);
  const image = await makeLayout(folder.path);
  const installed = await berth(tree.path, 'install', '--name', 'web', image);
  assert.equal(installed.status, 0, installed.stderr);
  assert.match(installed.stderr, /member '\\x1b\[2J'/);
  assert.ok(!`${installed.stdout}${installed.stderr}`.includes('\u001b'));
});

test('templates that nothing is made of are named', async () => {
  using tree = new BerthInTree();
  const image = tree.makeImage('web', [{ path: 'srv/' }], {
    'mount.template': '[Mount]\nWhat=tmpfs\nWhere=/srv\n',
    README: 'for people\n',
  });
  const { status, stderr } = await tree.run('install', image);
  assert.equal(status, 0, stderr);
  assert.match(
    stderr,
    /the image brings '\/exports\/mount\.template', of which berth makes nothing/,
  );
  assert.doesNotMatch(stderr, /README/);
});

test('an image that is to run once is no service of a tree, unless nothing starts it there', async () => {
  using tree = new BerthInTree();
  const image = writeLayout(tree.layout('web'), {
    layers: [[{ path: 'srv/' }]],
    process: {
      Entrypoint: ['/srv/web'],
      Labels: { 'atomic.run': 'once' },
      ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
    },
  });
  for (const more of [[], ['--plan']]) {
    const refused = await tree.run('install', ...more, image);
    assert.equal(refused.status, 64, refused.stderr);
    assert.match(refused.stderr, /asks to be run once and removed .*\nhint: '--no-enable'/);
    assert.equal(await tree.runOk('list', '-q'), '');
  }
  const plan = await tree.runOk('install', '--plan', '--no-enable', image);
  assert.match(plan, /^Listens on, says the image; .*\n {2}8080\/tcp, 53\/udp$/m);
  assert.doesNotMatch(plan, /once/, 'it stays');
  await tree.runOk('install', '--no-enable', image);
  const wants = `${tree.path}/etc/systemd/system/multi-user.target.wants/web.service`;
  assert.ok(existsSync(`${tree.path}/etc/systemd/system/web.service`));
  assert.ok(!existsSync(wants), 'it would run at each boot');
});

test('info and the plan tell of ports and the health check, info --remote without fetching', async () => {
  using tree = new BerthInTree();
  const image = writeLayout(tree.layout('web'), {
    layers: [[{ path: 'srv/' }]],
    process: {
      Entrypoint: ['/srv/web'],
      ExposedPorts: { '8080/tcp': {} },
      Healthcheck: { Test: ['CMD', '/srv/check', 'it'], Interval: 5e9, Retries: 2 },
      Labels: { maker: 'me' },
    },
  });
  const health =
    / by \/srv\/check it, every 5\.0 s, at most 30\.0 s; unwell after 2 failures in a row$/m;
  const remote = await tree.runOk('info', '--remote', image);
  assert.match(remote, /^Ports: {5}8080\/tcp$/m);
  assert.match(remote, /^ {2}maker: me$/m);
  assert.doesNotMatch(remote, /Exports|Variables/, 'what only the layers say');
  const unknown = await tree.run('info', image);
  assert.equal(unknown.status, 66, 'nothing was fetched');
  assert.match(
    unknown.stderr,
    /'berth --root \S+ pull .*', or ask its registry: 'berth --root \S+ info --remote/,
  );
  const plan = await tree.runOk('install', '--plan', image);
  assert.match(plan, health);
  await tree.runOk('install', image);
  for (const name of ['web', image]) {
    const info = await tree.runOk('info', name);
    assert.match(info, health);
    assert.match(info, /^Ports: {5}8080\/tcp$/m);
  }
  const again = JSON.parse(await tree.runOk('info', '--remote', '--json', 'web')) as {
    container: { name: string };
    health?: unknown;
    ports: unknown;
  };
  assert.deepEqual(
    [again.container.name, again.health, again.ports],
    ['web', undefined, ['8080/tcp']],
  );
});

test('info names the values that a variable may have', async () => {
  using tree = new BerthInTree();
  const variables = { LEVEL: { type: 'string', enum: ['quiet', 'verbose'], default: 'quiet' } };
  const image = tree.makeImage('web', [{ path: 'probe', content: 'x', mode: 0o755 }], {
    'manifest.json': JSON.stringify({ variables }),
  });
  await tree.runOk('pull', image);
  assert.match(await tree.runOk('info', image), /LEVEL=quiet {2}\(one of quiet, verbose\)/);
});
