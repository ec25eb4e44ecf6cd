import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';

import type { TreeNode } from '../../src/layer/tree.js';
import { parseDigest, type Digest } from '../../src/oci/digest.js';
import type { ImageStore, ImageTree, StoredImage } from '../../src/store/image-store.js';
import { assertFails } from '../support/assert-fails.js';
import { checkOutTwice } from '../support/check-out-twice.js';
import { each } from '../support/each.js';
import { feedLayer, storeLayer } from '../support/feed-layer.js';
import { listTree, treeLines } from '../support/list-tree.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer, type TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { CAPABILITY, FULL_LAYER, group, isRoot, LOCKED, owner } from './full-layer.js';
import { ACCEPTED_LAYERS } from './layer-cases.js';

/** What the suite needs of a back end. */
export interface StoreKind {
  readonly name: string;
  /** Opens the store in a folder, which may not exist yet. */
  open(directory: string): ImageStore;
  /** Whether times of modification are kept; otherwise everything is of the epoch. */
  readonly keepsTimes: boolean;
  /** What somebody else finds in the folder of a store when a test is over and the store closed. */
  readonly inspect?: (directory: string) => Promise<void>;
}

/** What every {@link ImageStore} keeps to. Owners and devices are real where it runs as root, and left out elsewhere. */
export function imageStoreContract(kind: StoreKind): void {
  const title = (what: string): string => `${kind.name} store: ${what}`;

  async function withStore(
    body: (store: ImageStore, directory: string) => Promise<void>,
    parent?: string,
  ): Promise<void> {
    using dir = new TempDir(parent);
    {
      await using store = kind.open(`${dir.path}/store`);
      await body(store, dir.path);
    }
    await kind.inspect?.(`${dir.path}/store`);
  }

  /** A time as this store keeps it. */
  const kept = (nanoseconds: bigint): bigint => (kind.keepsTimes ? nanoseconds : 0n);

  async function addLayers(
    store: ImageStore,
    layers: readonly (readonly TarItem[])[],
    names: readonly string[] = ['image'],
  ): Promise<StoredImage> {
    const diffIds: Digest[] = [];
    for (const layer of layers) diffIds.push(await storeLayer(store, layer));
    return store.addImage(storedImageOf(diffIds, names));
  }

  const checkedOut = (store: ImageStore, image: StoredImage, directory: string): Promise<string> =>
    checkOutTwice({ store, open: (place) => kind.open(place), image, directory });

  test(title('is empty before anything is put in'), async () => {
    await withStore(async (store) => {
      assert.deepEqual(await store.listImages(), []);
      assert.equal(await store.findImage('image'), undefined);
      assert.equal(await store.hasLayer(parseDigest(`sha256:${'0'.repeat(64)}`)), false);
      assert.deepEqual((await store.fsck()).problems, []);
    });
  });

  test(title('F18 gives one at a time the turn at a layer'), async () => {
    await withStore(async (store, directory) => {
      const diffId = parseDigest(`sha256:${'1'.repeat(64)}`);
      await using other = kind.open(`${directory}/store`);
      const first = await store.reserveLayer(diffId);
      (await other.reserveLayer(parseDigest(`sha256:${'2'.repeat(64)}`)))[Symbol.dispose]();
      await assertFails('CANCELLED', () =>
        other.reserveLayer(diffId, { signal: AbortSignal.timeout(50) }),
      );
      let taken = false;
      const second = other.reserveLayer(diffId).then((turn) => {
        taken = true;
        return turn;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(taken, false, 'two at once');
      first[Symbol.dispose]();
      (await second)[Symbol.dispose]();
      assert.equal(await store.hasLayer(diffId), false);
    });
  });

  test(title('gives back what a layer has, to the nanosecond and byte'), async () => {
    await withStore(async (store, directory) => {
      const image = await addLayers(store, [FULL_LAYER]);
      const out = await checkedOut(store, image, directory);
      const tree = listTree(out);
      assert.deepEqual([...tree.keys()].sort(), [
        '.',
        'bin',
        'bin/ping',
        'bin/same',
        ...(isRoot ? ['disk'] : []),
        'empty',
        'empty-too',
        'f\xff\n',
        'link',
        'link-too',
        'locked',
        'locked/file',
        ...(isRoot ? ['null'] : []),
        'pipe',
      ]);
      const facts = (path: string): unknown[] => {
        const { type, mode, uid, gid, mtimeNs, content } = tree.get(path) ?? assert.fail(path);
        return [type, mode, uid, gid, mtimeNs, content];
      };
      assert.deepEqual(facts('.'), [
        'directory',
        '750',
        owner(3),
        group(4),
        kept(12_000_000_034n),
        '',
      ]);
      assert.deepEqual(facts('bin'), [
        'directory',
        '1777',
        owner(0),
        group(0),
        kept(5_000_000_000n),
        '',
      ]);
      assert.deepEqual(facts('bin/ping'), [
        'file',
        isRoot ? '4755' : '755',
        owner(10),
        group(20),
        kept(1_350_244_992_023_960_108n),
        'program',
      ]);
      assert.deepEqual(tree.get('bin/ping')?.xattrs, {
        ...(isRoot ? { 'security.capability': CAPABILITY.toString('latin1') } : {}),
        'user.binary': '\0\xff',
      });
      assert.deepEqual(facts('empty'), [
        'file',
        '600',
        owner(0),
        group(0),
        kept(77_000_000_000n),
        '',
      ]);
      assert.deepEqual(facts('link').slice(2), [
        owner(1),
        group(2),
        kept(8_500_000_000n),
        '/bin/ping',
      ]);
      if (isRoot) {
        assert.deepEqual(
          [...facts('null').slice(0, 4), tree.get('null')?.rdev],
          ['character-device', '666', 0, 5, 0x103],
        );
        assert.equal(tree.get('disk')?.type, 'block-device');
      }
      assert.deepEqual(facts('pipe').slice(0, 2), ['fifo', '640']);
      // A user can always read and remove what is there.
      const locked = isRoot ? LOCKED : LOCKED | 0o700;
      assert.deepEqual(facts('locked').slice(0, 2), ['directory', locked.toString(8)]);
      assert.equal(tree.get('locked/file')?.content, 'inside');
      for (const [name, twin] of [
        ['bin/ping', 'bin/same'],
        ['empty', 'empty-too'],
        ['link', 'link-too'],
      ] as const) {
        assert.equal(tree.get(name)?.ino, tree.get(twin)?.ino, `${name} and ${twin} are one file`);
      }
    }, tmpdir()); // a real file system: times and attributes as in the field
  });

  each(title('lays layers over each other'), ACCEPTED_LAYERS, async ({ layers, want }) => {
    await withStore(async (store, directory) => {
      const image = await addLayers(store, layers);
      assert.deepEqual(treeLines(await checkedOut(store, image, directory)), [...want].sort());
    });
  });

  test(title('finds an image by name, digest and the start of a digest'), async () => {
    await withStore(async (store) => {
      const image = await addLayers(store, [[{ path: 'a', content: 'a' }]], ['x/y:1', 'x/y:2']);
      const hex = image.digest.slice('sha256:'.length);
      for (const key of ['x/y:1', 'x/y:2', image.digest, hex, hex.slice(0, 7)]) {
        assert.deepEqual((await store.findImage(key))?.digest, image.digest, key);
      }
      for (const key of ['x/y:3', hex.slice(0, 6), '', '../images', `sha256:${'0'.repeat(64)}`]) {
        assert.equal(await store.findImage(key), undefined, key);
      }
      const found = await store.findImage('x/y:1');
      assert.deepEqual([found?.names, found?.contentBytes], [['x/y:1', 'x/y:2'], 1]);
      assert.deepEqual(await store.listImages(), [found]);
    });
  });

  test(title('moves a name to the image that has it last'), async () => {
    await withStore(async (store) => {
      const first = await addLayers(store, [[{ path: 'a', content: '1' }]], ['tag', 'first']);
      const second = await addLayers(store, [[{ path: 'a', content: '2' }]], ['tag']);
      assert.equal((await store.findImage('tag'))?.digest, second.digest);
      assert.deepEqual((await store.findImage(first.digest))?.names, ['first']);
      await store.removeName('tag');
      await store.removeName('tag');
      assert.equal(await store.findImage('tag'), undefined);
      assert.equal((await store.listImages()).length, 2, 'an image without names stays');
    });
  });

  test(title('shows nothing of a layer that was not committed'), async () => {
    await withStore(async (store) => {
      const layer = buildLayer([{ path: 'a', content: 'a' }]);
      const diffId = parseDigest(layer.diffId);
      {
        await using transaction = await store.beginLayer(diffId);
        await feedLayer(transaction.sink, layer);
      }
      assert.equal(await store.hasLayer(diffId), false);
      await assertFails('STORE_INVALID', () => store.addImage(storedImageOf([diffId], ['x'])));
      assert.deepEqual(await store.listImages(), []);
      await storeLayer(store, layer);
      await storeLayer(store, layer);
      assert.equal(await store.hasLayer(diffId), true);
    });
  });

  test(title('reads files up to a limit'), async () => {
    await withStore(async (store) => {
      const image = await addLayers(store, [
        [
          { path: 'small', content: 'hello' },
          { path: 'empty', content: '' },
          { path: 'large', content: Buffer.alloc(3_000_000, 'x') },
        ],
      ]);
      const tree = await store.openTree(image);
      const read = (name: string, maxBytes: number): Promise<Buffer> => {
        const node = nodeAt(tree, name);
        assert.ok(node.kind === 'file');
        return tree.readFile(node, { maxBytes });
      };
      assert.equal((await read('small', 5)).toString(), 'hello');
      assert.equal((await read('empty', 0)).length, 0);
      assert.equal((await read('large', 3_000_000)).length, 3_000_000);
      await assertFails('LIMIT_EXCEEDED', () => read('small', 4));
      await assertFails('LIMIT_EXCEEDED', () => read('large', 1000));
    });
  });

  test(title('makes mount points that the image lacks'), async () => {
    await withStore(async (store, directory) => {
      const image = await addLayers(store, [
        [
          { path: 'etc/' },
          { path: 'etc/hosts', content: 'there' },
          { path: 'data', type: 'symlink', link: 'var/data' },
          { path: 'etc/resolv.conf', type: 'symlink', link: '../run/resolv.conf' },
          { path: 'out', type: 'symlink', link: '../../../../..' },
        ],
      ]);
      const out = `${directory}/out`;
      mkdirSync(out);
      const result = await store.checkout(await store.openTree(image), out, {
        mountPoints: [
          { path: '/proc', kind: 'directory' },
          { path: '/data/deep', kind: 'directory' },
          { path: '/etc/hosts', kind: 'file' },
          { path: '/etc/hostname', kind: 'file' },
          { path: '/etc/resolv.conf', kind: 'file' },
          { path: '/out/x', kind: 'directory' },
          { path: '/etc', kind: 'directory' },
        ],
      });
      assert.deepEqual(result.createdMountPoints, [
        '/proc',
        '/var',
        '/var/data',
        '/var/data/deep',
        '/etc/hostname',
        '/run',
        '/run/resolv.conf',
        '/x',
      ]);
      assert.deepEqual(
        treeLines(out),
        [
          'data -> var/data',
          'etc directory',
          'etc/hostname = ',
          'etc/hosts = there',
          'etc/resolv.conf -> ../run/resolv.conf',
          'out -> ../../../../..',
          'proc directory',
          'run directory',
          'run/resolv.conf = ',
          'var directory',
          'var/data directory',
          'var/data/deep directory',
          'x directory',
        ],
        'a mount point outside the root would be a path escape',
      );
      const tree = await store.openTree(image);
      assert.equal(tree.root.entries.has('proc'), false, 'the image itself is as it was');
    });
  });

  test(title('T24 makes devices only where it is told to'), async () => {
    await withStore(async (store, directory) => {
      const image = await addLayers(store, [
        [{ path: 'null', type: 'character-device', major: 1, minor: 3 }],
      ]);
      mkdirSync(`${directory}/out`);
      const checkOut = async (): Promise<unknown> =>
        store.checkout(await store.openTree(image), `${directory}/out`);
      if (isRoot) await assertFails('LAYER_ENTRY_REFUSED', checkOut);
      else {
        // Who cannot make them has them in the record alone.
        await checkOut();
        assert.deepEqual(readdirSync(`${directory}/out`), []);
      }
    });
  });

  test(title('gives an image a further name'), async () => {
    await withStore(async (store) => {
      const first = await addLayers(store, [[{ path: 'a', content: '1' }]], ['first']);
      const second = await addLayers(store, [[{ path: 'a', content: '2' }]], ['second']);
      await store.addName('second', first.digest);
      await store.addName('third', first.digest);
      assert.deepEqual((await store.findImage('first'))?.names, ['first', 'second', 'third']);
      assert.deepEqual((await store.findImage(second.digest))?.names, []);
      const missing = parseDigest(`sha256:${'0'.repeat(64)}`);
      await assertFails('IMAGE_NOT_FOUND', () => store.addName('none', missing));
    });
  });

  test(title('finds no problem where there is none, and checks one image alone'), async () => {
    await withStore(async (store) => {
      const image = await addLayers(store, [[{ path: 'a', content: '1' }]], ['first']);
      await addLayers(store, [[{ path: 'b', content: '2' }]], ['second']);
      assert.deepEqual(await store.fsck(), { checkedObjects: 2, problems: [] });
      assert.deepEqual(await store.fsck({ images: new Set([image.digest]) }), {
        checkedObjects: 1,
        problems: [],
      });
    });
  });

  test(title('mends a checkout, and leaves alone what the image does not have'), async () => {
    await withStore(async (store, directory) => {
      const image = await addLayers(store, [
        [
          { path: 'etc/', mode: 0o750, mtime: 7 },
          { path: 'etc/file', content: 'content', mode: 0o4755, uid: 3, mtime: '8.5' },
          { path: 'etc/empty', content: '' },
          { path: 'etc/link', type: 'symlink', link: 'file' },
          { path: 'deep/er/file', content: 'deep' },
        ],
      ]);
      const tree = await store.openTree(image);
      const out = await checkedOut(store, image, directory);
      mkdirSync(`${out}/proc`, { mode: 0o755 });
      for (const path of [`${out}/proc`, out]) utimesSync(path, 0, 0);
      const sound = listTree(out);
      assert.deepEqual(await store.mendCheckout(tree, out), { mended: [], left: [] });
      rmSync(`${out}/etc/file`);
      writeFileSync(`${out}/etc/file`, 'other');
      rmSync(`${out}/etc/link`);
      mkdirSync(`${out}/etc/link`);
      chmodSync(`${out}/etc`, 0o777);
      rmSync(`${out}/deep`, { recursive: true });
      writeFileSync(`${out}/mine`, 'mine');
      const { mended, left } = await store.mendCheckout(tree, out);
      assert.deepEqual([...mended].sort(), ['/', '/deep', '/etc', '/etc/file', '/etc/link']);
      assert.deepEqual(left, ['/mine']);
      rmSync(`${out}/mine`);
      await store.mendCheckout(tree, out);
      const facts = (from: ReturnType<typeof listTree>): unknown[] =>
        [...from].map(([path, entry]) => [path, { ...entry, ino: 0 }]);
      assert.deepEqual(facts(listTree(out)), facts(sound));
    }, tmpdir());
  });

  test(title('prunes what nothing needs, and nothing else'), async () => {
    await withStore(async (store, directory) => {
      const shared = [{ path: 'shared', content: 'shared content' }];
      const kept = await addLayers(store, [shared], ['kept']);
      const gone = await addLayers(
        store,
        [shared, [{ path: 'own', content: 'own content' }]],
        ['gone'],
      );
      const spared = await addLayers(store, [[{ path: 'spared', content: 'spared' }]], ['spared']);
      await storeLayer(store, [{ path: 'orphan', content: 'orphaned content' }]);
      await store.removeName('gone');
      await store.removeName('spared');
      const result = await store.prune({ keep: new Set([spared.digest]) });
      assert.deepEqual([result.images, result.layers, result.objects], [1, 2, 2]);
      assert.ok(result.freedBytes > 0);
      assert.equal(await store.findImage(gone.digest), undefined);
      for (const image of [kept, spared]) await checkedOut(store, image, directory);
      assert.deepEqual((await store.fsck()).problems, []);
      const second = await store.prune({ keep: new Set([spared.digest]) });
      assert.deepEqual(second, { images: 0, layers: 0, objects: 0, freedBytes: 0 });
    });
  });
}

function nodeAt(tree: ImageTree, path: string): TreeNode {
  let node: TreeNode = tree.root;
  for (const name of path.split('/')) {
    assert.ok(node.kind === 'directory');
    node = node.entries.get(name) ?? assert.fail(`no ${path}`);
  }
  return node;
}
