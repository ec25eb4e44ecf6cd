import assert from 'node:assert/strict';
import { chmodSync, readFileSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { test } from 'node:test';

import { writeAtomicRepository, type AtomicImageWritten } from '../support/atomic-repository.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { runOk } from '../support/run-command.js';

// `ostree:` in front of an image: from a repository in atomic's form into the embedded store, and from layouts into one.

const NAME = 'docker.io/library/etcd:3';
const REF = 'docker.io_2Flibrary_2Fetcd_3A3';

function layersWith(tool: string) {
  return [
    [
      { path: 'bin/tool', content: tool, mode: 0o4755, uid: 7 },
      { path: 'gone', content: 'gone' },
      { path: 'lib', type: 'symlink', link: 'usr/lib' },
      { path: 'large', content: Buffer.alloc(3_000_000, 'large') },
    ],
    [
      { path: '.wh.gone', content: '' },
      { path: 'exports/' },
      { path: 'exports/service.template', content: SERVICE_TEMPLATE },
      { path: 'exports/config.json.template', content: configTemplate() },
    ],
  ];
}

async function makeRepository(path: string, tool = 'tool'): Promise<AtomicImageWritten> {
  const [written] = await writeAtomicRepository(path, [
    { name: NAME, ref: REF, layers: layersWith(tool) },
  ]);
  assert.ok(written !== undefined);
  return written;
}

async function imagesOf(berth: BerthInTree, ...args: string[]): Promise<readonly unknown[]> {
  const rows = JSON.parse(await berth.runOk('images', 'list', '--json', ...args)) as readonly {
    readonly name: string;
    readonly digest: string;
    readonly storage: string;
  }[];
  return rows.map(({ name, digest, storage }) => [name, digest, storage]);
}

test('what atomic left is taken over into the embedded store, installed, and updated', async () => {
  using berth = new BerthInTree();
  const repository = `${berth.path}/media/repo`;
  const { digest } = await makeRepository(repository);
  const image = `ostree:etcd:3@${repository}`;

  const inspected = JSON.parse(await berth.runOk('inspect', '--json', image)) as object;
  assert.equal((inspected as { readonly digest: string }).digest, digest);
  await berth.runOk('install', '--plan', image);
  assert.deepEqual(await imagesOf(berth), [], 'a plan puts nothing in');
  await berth.runOk('pull', image);
  assert.deepEqual(await imagesOf(berth), [[NAME, digest, 'embedded']]);
  await berth.runOk('install', image);
  const rootfs = (number: number): string => `${berth.path}/var/lib/berth/etcd.${number}/rootfs`;
  assert.ok(!readdirSync(rootfs(0)).includes('gone'));
  const tool = statSync(`${rootfs(0)}/bin/tool`);
  assert.deepEqual([tool.mode & 0o7777, tool.uid], [0o4755, 7]);
  assert.equal(statSync(`${rootfs(0)}/large`).size, 3_000_000);
  await berth.runOk('verify', 'etcd');
  await berth.runOk('fsck');

  await makeRepository(repository, 'second');
  await berth.runOk('update', 'etcd');
  assert.equal(readFileSync(`${rootfs(1)}/bin/tool`, 'utf8'), 'second');
  await berth.runOk('verify', 'etcd');
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});

test('a container that was installed from atomic’s own repository is updated from there', async () => {
  using berth = new BerthInTree();
  const repository = `${berth.path}/ostree/repo`;
  await makeRepository(repository);
  await berth.runOk('install', '--storage', 'ostree', 'ostree:etcd:3');
  await makeRepository(repository, 'second');
  await berth.runOk('update', 'etcd');
  const root = `${berth.path}/var/lib/berth/etcd.1`;
  assert.equal(readFileSync(`${root}/rootfs/bin/tool`, 'utf8'), 'second');
  assert.match(readFileSync(`${root}/deployment.json`, 'utf8'), /"storage": ?"ostree"/);
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
});

test('an image is copied into a repository, from there into another one, and into the store', async () => {
  using berth = new BerthInTree();
  const first = `${berth.path}/first`;
  const second = `${berth.path}/second`;
  const layout = berth.makeImage('web', [
    { path: 'file', content: 'content' },
    { path: 'link', type: 'hardlink', link: 'file' },
  ]);
  await berth.runOk('copy', layout, `ostree:example.com/web:1@${first}`);
  await berth.runOk('copy', `ostree:example.com/web:1@${first}`, `ostree:other:2@${second}`);
  for (const repository of [first, second])
    await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
  const refs = await runOk(['ostree', `--repo=${second}`, 'refs']);
  assert.match(refs, /^ociimage\/docker\.io_2Flibrary_2Fother_3A2$/m);
  await berth.runOk('install', '--name', 'web', `ostree:other:2@${second}`);
  const rootfs = `${berth.path}/var/lib/berth/web.0/rootfs`;
  assert.equal(readFileSync(`${rootfs}/link`, 'utf8'), 'content');
  assert.equal(statSync(`${rootfs}/link`).ino, statSync(`${rootfs}/file`).ino);
  const digests = (await imagesOf(berth)).map((row) => (row as string[])[1]);
  const copied = JSON.parse(await berth.runOk('inspect', '--json', layout)) as object;
  assert.deepEqual(digests, [(copied as { readonly digest: string }).digest]);
});

test('what cannot be taken over truthfully is refused by name', async () => {
  using berth = new BerthInTree();
  const repository = `${berth.path}/media/repo`;
  const { layers } = await makeRepository(repository);
  const image = `ostree:etcd:3@${repository}`;
  const refused = async (want: RegExp, ...args: string[]): Promise<void> => {
    const { status, stderr } = await berth.run(...args);
    assert.notEqual(status, 0, args.join(' '));
    assert.match(stderr, want);
  };
  await refused(
    /not their archives[^]*'berth --root \S+ pull'/,
    'copy',
    image,
    `oci:${berth.path}/out:x`,
  );
  assert.equal(readdirSync(berth.path).includes('out'), false);
  await refused(/--all/, 'copy', '--all', image, `ostree:x@${berth.path}/other`);
  await refused(/no image 'docker.io\/library\/x:latest'/, 'pull', `ostree:x@${repository}`);
  await refused(/no image/, 'pull', `ostree:x@${berth.path}/nowhere`);

  chmodSync(`${repository}/objects`, 0o777);
  await refused(/others can write to/, 'pull', image);
  chmodSync(`${repository}/objects`, 0o755);

  const hex = layers[0]?.digest.slice('sha256:'.length) ?? '';
  const listing = await runOk([
    'ostree',
    `--repo=${repository}`,
    'ls',
    '-C',
    `ociimage/${hex}`,
    '/lib',
  ]);
  const [object = ''] = /[0-9a-f]{64}/.exec(listing) ?? [];
  unlinkSync(`${repository}/objects/${object.slice(0, 2)}/${object.slice(2)}.file`);
  await refused(/layer 1 of 2 failed/, 'pull', image);
  assert.deepEqual(await imagesOf(berth), []);
});
