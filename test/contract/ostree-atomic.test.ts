import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { encodeLayer } from '../../src/store/layer-file.js';
import { LAYER_RECORD_FILE } from '../../src/store/ostree/commit-keys.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import type { ImageStore } from '../../src/store/image-store.js';
import { impliedDirectory } from '../../src/store/layer-tree.js';
import { parseDigest } from '../../src/oci/digest.js';
import { assertFails } from '../support/assert-fails.js';
import {
  writeAtomicRepository,
  type AtomicImage,
  type AtomicImageWritten,
} from '../support/atomic-repository.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { listTree, treeLines } from '../support/list-tree.js';
import { runOk } from '../support/run-command.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';

const ETCD: AtomicImage = {
  name: 'docker.io/library/etcd:3',
  ref: 'docker.io_2Flibrary_2Fetcd_3A3',
  layers: [
    [
      { path: 'etc/', mode: 0o750, uid: 3 },
      { path: 'etc/gone', content: 'gone' },
      { path: 'opaque/old', content: 'old' },
      { path: 'bin/tool', content: 'tool', mode: 0o4755 },
      { path: 'lib', type: 'symlink', link: 'usr/lib' },
      { path: 'null', type: 'character-device', major: 1, minor: 3 },
    ],
    [
      { path: 'etc/', mode: 0o755 },
      { path: 'etc/.wh.gone', content: '' },
      { path: 'etc/new', content: 'new', uid: 7, gid: 8 },
      { path: 'opaque/.wh..wh..opq', content: '' },
      { path: 'opaque/fresh', content: 'fresh' },
    ],
  ],
  config: { Labels: { name: 'etcd' }, Entrypoint: ['/bin/tool'] },
};

const WANT = [
  'bin directory',
  'bin/tool = tool',
  'etc directory',
  'etc/new = new',
  'lib -> usr/lib',
  'opaque directory',
  'opaque/fresh = fresh',
];

async function withRepository(
  images: readonly AtomicImage[],
  body: (given: {
    readonly store: ImageStore;
    readonly repository: string;
    readonly written: readonly AtomicImageWritten[];
    readonly directory: string;
  }) => Promise<void>,
): Promise<void> {
  using dir = new TempDir();
  const repository = `${dir.path}/repo`;
  const written = await writeAtomicRepository(repository, images);
  {
    await using store = openOstreeStore(repository);
    await body({ store, repository, written, directory: dir.path });
  }
  await runOk(['ostree', 'fsck', `--repo=${repository}`, '--quiet']);
}

each(
  "an image in atomic's form lists and checks out",
  [
    { name: 'of 2018 and later' },
    { name: 'of 2017, without digests', without: 'all' },
    { name: 'without the digest of the manifest', without: 'digest' },
  ] as const,
  async ({ ...era }) => {
    const { without } = era as { readonly without?: 'all' | 'digest' };
    const image = without === undefined ? ETCD : { ...ETCD, without };
    await withRepository([image], async ({ store, written, directory }) => {
      const [stored, ...others] = await store.listImages();
      assert.ok(stored !== undefined && others.length === 0);
      assert.equal(stored.digest, written[0]?.digest);
      assert.deepEqual(stored.names, ['docker.io/library/etcd:3']);
      assert.equal(stored.config.labels['name'], 'etcd');
      mkdirSync(`${directory}/out`);
      await store.checkout(await store.openTree(stored), `${directory}/out`);
      assert.deepEqual(treeLines(`${directory}/out`), WANT);
      const tree = listTree(`${directory}/out`);
      const facts = (path: string): unknown[] => {
        const { mode, uid, gid } = tree.get(path) ?? assert.fail(path);
        return [mode, uid, gid];
      };
      assert.deepEqual(facts('bin/tool'), ['4755', 0, 0]);
      assert.deepEqual(facts('etc'), ['755', 0, 0]);
      assert.deepEqual(facts('etc/new'), ['644', 7, 8]);
      assert.ok(
        statSync(`${directory}/out/bin/tool`).nlink > 1,
        'it is the file of the repository',
      );
      const { problems, checkedObjects } = await store.fsck();
      assert.deepEqual(problems, []);
      assert.equal(checkedObjects, 7, 'links and files without content are checked too');
    });
  },
);

test('names are found however they were typed, and deleted so', async () => {
  const images = [
    { ...ETCD, name: 'etcd:3', ref: 'etcd_3A3' },
    { ...ETCD, ref: 'quay.io_2Fcoreos_2Fetcd_3Alatest', config: {} },
  ];
  await withRepository(images, async ({ store, written }) => {
    assert.equal((await store.findImage('docker.io/library/etcd:3'))?.digest, written[0]?.digest);
    assert.equal((await store.findImage('etcd:3'))?.digest, written[0]?.digest);
    assert.equal((await store.findImage('quay.io/coreos/etcd'))?.digest, written[1]?.digest);
    await store.removeName('docker.io/library/etcd:3');
    assert.equal(await store.findImage('etcd:3'), undefined);
    const unnamed = await store.findImage(written[0]?.digest ?? '');
    assert.deepEqual(unnamed?.names, [], 'it stays until it is pruned');
    const pruned = await store.prune({ keep: new Set() });
    assert.deepEqual([pruned.images, pruned.layers], [1, 0], 'the other one has its layers');
    assert.equal((await store.listImages()).length, 1);
    await store.removeName('quay.io/coreos/etcd:latest');
    assert.equal((await store.prune({ keep: new Set() })).layers, 2);
  });
});

test('a layer that atomic put in is not fetched again, and pruning leaves what is not of images', async () => {
  await withRepository([ETCD], async ({ store, repository, written, directory }) => {
    const [first, second] = written[0]?.layers ?? [];
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(await store.hasLayer(parseDigest(first.diffId)), true);
    const own = await storeLayer(store, [{ path: 'own', content: 'own' }]);
    const image = await store.addImage(
      storedImageOf([parseDigest(first.diffId), own], ['example.com/x:1']),
    );
    const system = `${directory}/system`;
    mkdirSync(system);
    writeFileSync(`${system}/vmlinuz`, 'kernel');
    const commit = ['ostree', `--repo=${repository}`, 'commit', '-b', 'os/x86_64', '-s', ''];
    await runOk([...commit, `--tree=dir=${system}`]);
    await store.removeName('docker.io/library/etcd:3');
    await store.prune({ keep: new Set() });
    assert.equal(await store.hasLayer(parseDigest(second.diffId)), false);
    assert.deepEqual((await store.findImage('example.com/x:1'))?.digest, image.digest);
    mkdirSync(`${directory}/out`);
    await store.checkout(await store.openTree(image), `${directory}/out`);
    assert.ok(treeLines(`${directory}/out`).includes('own = own'));
    const refs = await runOk(['ostree', `--repo=${repository}`, 'refs']);
    assert.match(refs, /^os\/x86_64$/m);
  });
});

test('what berth puts in, the ostree command shows', async () => {
  await withRepository([], async ({ store, repository }) => {
    const layer = await storeLayer(store, [
      { path: 'etc/hosts', content: 'hosts', uid: 5 },
      { path: 'etc/.wh.gone', content: '' },
      { path: 'link', type: 'symlink', link: 'etc/hosts' },
    ]);
    const { digest } = await store.addImage(storedImageOf([layer], ['example.com/a_b:1']));
    const ostree = (...args: string[]): Promise<string> =>
      runOk(['ostree', `--repo=${repository}`, ...args]);
    const refs = (await ostree('refs')).trim().split('\n').sort();
    assert.equal(refs.length, 4, 'layer, configuration, image by digest and by name');
    assert.ok(refs.includes('ociimage/example.com_2Fa_5Fb_3A1'));
    const manifest = await ostree('cat', 'ociimage/example.com_2Fa_5Fb_3A1', '/manifest.json');
    const key = '--print-metadata-key=docker.digest';
    assert.equal(await ostree('show', key, 'ociimage/example.com_2Fa_5Fb_3A1'), `'${digest}'\n`);
    assert.match(manifest, /^\{"schemaVersion":2/);
    const tree = await ostree('ls', '-R', `ociimage/${layer.slice('sha256:'.length)}`);
    assert.match(tree, /^-00644 5 0 {6}5 \/etc\/hosts$/m);
    assert.match(tree, /^-00644 0 0 {6}0 \/etc\/\.wh\.gone$/m);
    assert.match(tree, /^l00777 0 0 {6}0 \/link -> etc\/hosts$/m);
  });
});

test('a record that an image brings is not taken for one of berth', async () => {
  // As containers/image unpacked it: every name was a file to it. The record would make any object of the repository,
  // the passwords of the host's system among them, a file of the image.
  const root = impliedDirectory();
  const stolen = {
    kind: 'file',
    size: 5,
    contentSha256: 'ab'.repeat(32),
    meta: { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0, xattrs: [] },
  } as const;
  root.entries.set('stolen', stolen);
  const record = encodeLayer({ root, contentBytes: 5 });
  const layers = [
    [
      { path: LAYER_RECORD_FILE, content: record },
      { path: 'own', content: 'own' },
    ],
  ];
  await withRepository([{ ...ETCD, layers }], async ({ store, directory }) => {
    const [image] = await store.listImages();
    assert.ok(image !== undefined);
    mkdirSync(`${directory}/out`);
    await store.checkout(await store.openTree(image), `${directory}/out`);
    assert.deepEqual(treeLines(`${directory}/out`), ['own = own'], 'an object of others came in');
  });
});

test('T05 T53 a crafted repository reaches nothing outside of a checkout', async () => {
  // libostree before 2024.5 follows these in union checkouts of one layer over the other.
  using outside = new TempDir();
  mkdirSync(`${outside.path}/dir`);
  writeFileSync(`${outside.path}/dir/victim`, 'kept');
  const layers = [
    [{ path: 'evil', type: 'symlink', link: `${outside.path}/dir` }],
    [
      { path: 'evil/.wh.victim', content: '' },
      { path: 'evil/written', content: 'escaped' },
    ],
  ];
  await withRepository([{ ...ETCD, layers }], async ({ store, repository, written, directory }) => {
    const [image] = await store.listImages();
    assert.ok(image !== undefined);
    mkdirSync(`${directory}/out`);
    await store.checkout(await store.openTree(image), `${directory}/out`);
    assert.deepEqual(listTree(outside.path).get('dir/victim')?.content, 'kept', 'a path escape');
    assert.equal(listTree(outside.path).has('dir/written'), false, 'a path escape');
    // The control: how atomic laid layers over each other, which this libostree may do still.
    for (const { digest } of written[0]?.layers ?? []) {
      const ref = `ociimage/${digest.slice('sha256:'.length)}`;
      const union = ['--union', '--whiteouts', ref, `${directory}/union`];
      await runOk(['ostree', `--repo=${repository}`, 'checkout', ...union]).catch(() => undefined);
    }
    const version = await runOk(['ostree', '--version']);
    const [, year = '0'] = /Version: '(\d+)\./.exec(version) ?? [];
    const escaped = listTree(outside.path).has('dir/written');
    if (Number(year) < 2024) assert.ok(escaped, 'the control escapes with an old libostree');
  });
});

test('an image whose layer is missing is refused in one line', async () => {
  await withRepository([ETCD], async ({ store, repository, written }) => {
    const layer = written[0]?.layers[0]?.digest.slice('sha256:'.length) ?? '';
    await runOk(['ostree', `--repo=${repository}`, 'refs', '--delete', `ociimage/${layer}`]);
    const [image] = await store.listImages();
    assert.ok(image !== undefined);
    await assertFails('STORE_INVALID', () => store.openTree(image));
    assert.equal((await store.fsck()).problems.length > 0, true);
  });
});
