import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { writeAtomicRepository } from '../support/atomic-repository.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { runOk } from '../support/run-command.js';

// The verbs on a tree that is not running, with images in OSTree, and in both stores at once.

const EXPORTS = [
  { path: 'exports/' },
  { path: 'exports/service.template', content: SERVICE_TEMPLATE },
  { path: 'exports/config.json.template', content: configTemplate() },
  { path: 'exports/manifest.json', content: '{"version": "1.0"}' },
];

interface Row {
  readonly name: string;
  readonly storage: string;
  readonly digest: string;
  readonly usedBy: readonly string[];
}

async function imagesOf(berth: BerthInTree, ...args: string[]): Promise<readonly Row[]> {
  return JSON.parse(await berth.runOk('images', 'list', '--json', ...args)) as readonly Row[];
}

function deploymentOf(berth: BerthInTree, directory: string): { readonly storage: string } {
  const path = `${berth.path}/var/lib/berth/${directory}/deployment.json`;
  return JSON.parse(readFileSync(path, 'utf8')) as { readonly storage: string };
}

test('install, verify, update, rollback, fsck, repair and prune over OSTree', async () => {
  using berth = new BerthInTree();
  const repository = `${berth.path}/var/lib/berth/.ostree`;
  const tool = { path: 'bin/tool', content: 'first', mode: 0o755 };
  const image = berth.makeImage('web', [tool]);
  await berth.runOk('install', '--storage', 'ostree', '--name', 'web', image);
  assert.equal(deploymentOf(berth, 'web.0').storage, 'ostree');
  const root = (number: number): string => `${berth.path}/var/lib/berth/web.${number}/rootfs`;
  assert.ok(statSync(`${root(0)}/bin/tool`).nlink > 1, 'it is the file of the repository');
  await berth.runOk('verify', 'web');
  assert.deepEqual(
    (await imagesOf(berth)).map(({ storage, usedBy }) => [storage, usedBy]),
    [['ostree', ['web']]],
  );
  assert.equal(readdirSync(`${berth.path}/var/lib/berth`).includes('.store'), false);

  berth.makeImage('web', [{ ...tool, content: 'second' }]);
  await berth.runOk('update', 'web');
  assert.equal(deploymentOf(berth, 'web.1').storage, 'ostree', 'it keeps to its store');
  assert.equal(readFileSync(`${root(1)}/bin/tool`, 'utf8'), 'second');
  await berth.runOk('rollback', 'web');
  await berth.runOk('fsck');

  // Through the checkout it is the object that is written to.
  writeFileSync(`${root(1)}/bin/tool`, 'damage');
  assert.notEqual((await berth.run('fsck')).status, 0);
  await berth.runOk('fsck', '--repair');
  assert.equal(readFileSync(`${root(1)}/bin/tool`, 'utf8'), 'second');
  await berth.runOk('fsck');
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);

  await berth.runOk('uninstall', 'web');
  await berth.runOk('images', 'prune', '--all');
  assert.deepEqual(await imagesOf(berth), []);
  assert.equal(await runOk(['ostree', `--repo=${repository}`, 'refs']), '');
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});

test('a root that cannot be sealed is said to be no such root, or nothing is installed', async () => {
  // No kernel has fs-verity on tmpfs. Where it is there: integration/machine-install.test.ts.
  using berth = new BerthInTree('/dev/shm');
  const wantSealedRoots = (how: string): void => {
    mkdirSync(`${berth.path}/etc/berth`, { recursive: true });
    const conf = `[storage]\nbackend = "ostree"\nostree-composefs = "${how}"\n`;
    writeFileSync(`${berth.path}/etc/berth/berth.conf`, conf);
  };
  const image = berth.makeImage('web', [{ path: 'bin/tool', content: 'tool', mode: 0o755 }]);
  wantSealedRoots('maybe');
  const installed = await berth.run('install', '--name', 'web', image);
  assert.equal(installed.status, 0, installed.stderr);
  assert.match(
    installed.stderr,
    /the root is not sealed: object [0-9a-f]{64} of .* is not sealed by fs-verity/,
  );
  const folder = `${berth.path}/var/lib/berth`;
  assert.ok(!readdirSync(`${folder}/web.0`).some((name) => name.endsWith('.erofs')));
  await berth.runOk('verify', 'web');

  wantSealedRoots('yes');
  const refused = await berth.run('install', '--name', 'other', image);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /is not sealed by fs-verity\n.*fsck --repair/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('other')),
    [],
  );
});

test('what atomic left in /ostree/repo is found, installed, and verified', async () => {
  using berth = new BerthInTree();
  const repository = `${berth.path}/ostree/repo`;
  const layers = [
    [
      { path: 'bin/tool', content: 'tool', mode: 0o4755 },
      { path: 'gone', content: 'gone' },
    ],
    [{ path: '.wh.gone', content: '' }, { path: 'proc/' }, ...EXPORTS],
  ];
  const name = 'docker.io/library/etcd:3';
  const [written] = await writeAtomicRepository(repository, [
    { name, ref: 'docker.io_2Flibrary_2Fetcd_3A3', layers },
  ]);
  const [row] = await imagesOf(berth);
  assert.deepEqual([row?.name, row?.storage], [name, 'ostree']);
  await berth.runOk('install', '--name', 'etcd', name);
  assert.equal(deploymentOf(berth, 'etcd.0').storage, 'ostree');
  const rootfs = `${berth.path}/var/lib/berth/etcd.0/rootfs`;
  assert.deepEqual(
    readdirSync(rootfs).filter((entry) => /^(bin|gone|\.wh)/.test(entry)),
    ['bin'],
  );
  assert.equal(statSync(`${rootfs}/bin/tool`).mode & 0o7777, 0o4755);
  await berth.runOk('verify', 'etcd');
  await berth.runOk('images', 'verify', name);
  const refused = await berth.run('images', 'delete', written?.digest ?? '');
  assert.equal(refused.status, 73, 'it is in use');
  await berth.runOk('images', 'prune', '--all');
  assert.equal((await imagesOf(berth)).length, 1);
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});

test('an image that is in both stores is listed twice, and deleted from the one that is named', async () => {
  using berth = new BerthInTree();
  const image = berth.makeImage('web', [{ path: 'file', content: 'content' }]);
  await berth.runOk('pull', image);
  await berth.runOk('pull', '--storage', 'ostree', image);
  const rows = await imagesOf(berth);
  assert.deepEqual(rows.map(({ storage }) => storage).sort(), ['embedded', 'ostree']);
  const [digest = ''] = rows.map((row) => row.digest);
  const ambiguous = await berth.run('images', 'delete', digest);
  assert.equal(ambiguous.status, 64, ambiguous.stderr);
  assert.match(ambiguous.stderr, /several stores[^]*--storage/);
  await berth.runOk('install', '--name', 'web', image);
  assert.equal(deploymentOf(berth, 'web.0').storage, 'embedded', 'the store in front');
  assert.deepEqual(
    (await imagesOf(berth)).map(({ storage, usedBy }) => [storage, usedBy.length]).sort(),
    [
      ['embedded', 1],
      ['ostree', 0],
    ],
  );
  await berth.runOk('images', 'delete', '--storage', 'ostree', digest);
  assert.deepEqual((await imagesOf(berth, '--storage', 'ostree')).length, 0);
  assert.equal((await imagesOf(berth)).length, 1);
});
