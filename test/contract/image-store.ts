import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { TreeNode } from '../../src/layer/tree.js';
import { parseDigest } from '../../src/oci/digest.js';
import type { ImageTree } from '../../src/store/image-store.js';
import { assertFails } from '../support/assert-fails.js';
import { feedLayer, storeLayer } from '../support/feed-layer.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { checkoutContract } from './image-store-checkout.js';
import { addLayers, checkedOut, titleOf, withStore, type StoreKind } from './store-bench.js';

/** What every {@link ImageStore} keeps to. Owners and devices are real where it runs as root, and left out elsewhere. */
export function imageStoreContract(kind: StoreKind): void {
  test(titleOf(kind, 'is empty before anything is put in'), async () => {
    await withStore(kind, async (store) => {
      assert.deepEqual(await store.listImages(), []);
      assert.equal(await store.findImage('image'), undefined);
      assert.equal(await store.hasLayer(parseDigest(`sha256:${'0'.repeat(64)}`)), false);
      assert.deepEqual((await store.fsck()).problems, []);
    });
  });

  test(titleOf(kind, 'F18 gives one at a time the turn at a layer'), async () => {
    await withStore(kind, async (store, directory) => {
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

  test(titleOf(kind, 'finds an image by name, digest and the start of a digest'), async () => {
    await withStore(kind, async (store) => {
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

  test(titleOf(kind, 'moves a name to the image that has it last'), async () => {
    await withStore(kind, async (store) => {
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

  test(titleOf(kind, 'shows nothing of a layer that was not committed'), async () => {
    await withStore(kind, async (store) => {
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

  test(titleOf(kind, 'reads files up to a limit'), async () => {
    await withStore(kind, async (store) => {
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

  test(titleOf(kind, 'gives an image a further name'), async () => {
    await withStore(kind, async (store) => {
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

  test(
    titleOf(kind, 'finds no problem where there is none, and checks one image alone'),
    async () => {
      await withStore(kind, async (store) => {
        const image = await addLayers(store, [[{ path: 'a', content: '1' }]], ['first']);
        await addLayers(store, [[{ path: 'b', content: '2' }]], ['second']);
        assert.deepEqual(await store.fsck(), { checkedObjects: 2, problems: [] });
        assert.deepEqual(await store.fsck({ images: new Set([image.digest]) }), {
          checkedObjects: 1,
          problems: [],
        });
      });
    },
  );

  test(titleOf(kind, 'prunes what nothing needs, and nothing else'), async () => {
    await withStore(kind, async (store, directory) => {
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
      for (const image of [kept, spared]) await checkedOut(kind, { store, image, directory });
      assert.deepEqual((await store.fsck()).problems, []);
      const second = await store.prune({ keep: new Set([spared.digest]) });
      assert.deepEqual(second, { images: 0, layers: 0, objects: 0, freedBytes: 0 });
    });
  });

  checkoutContract(kind);
}

function nodeAt(tree: ImageTree, path: string): TreeNode {
  let node: TreeNode = tree.root;
  for (const name of path.split('/')) {
    assert.ok(node.kind === 'directory');
    node = node.entries.get(name) ?? assert.fail(`no ${path}`);
  }
  return node;
}
