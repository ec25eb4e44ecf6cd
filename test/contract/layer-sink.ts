import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LayerSink } from '../../src/layer/layer-sink.js';
import type { DirectoryNode, TreeNode } from '../../src/layer/tree.js';
import type { ImageTree } from '../../src/store/image-store.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { feedLayer } from '../support/feed-layer.js';
import { buildLayer, type BuiltLayer, type TarItem } from '../support/tar-builder.js';
import { ACCEPTED_LAYERS, REFUSED_LAYERS } from './layer-cases.js';

/** What the suite needs of an implementation. */
export interface SinkKind {
  readonly name: string;
  /** Takes in layers, lowest first, each by `feed` into a sink of its own, and gives what they come to to `use`. */
  withLayers(
    feeds: readonly ((sink: LayerSink) => Promise<void>)[],
    layers: readonly BuiltLayer[],
    use: (tree: ImageTree) => Promise<void>,
  ): Promise<void>;
}

/** What every {@link LayerSink} and the tree behind it keep to, image-spec v1.1 layer.md above all. */
export function layerSinkContract(kind: SinkKind): void {
  async function withTree(
    layers: readonly (readonly TarItem[])[],
    use: (tree: ImageTree) => Promise<void> | void,
  ): Promise<void> {
    const built = layers.map((items) => buildLayer(items, { compression: 'none' }));
    const feeds = built.map((layer) => async (sink: LayerSink) => {
      await feedLayer(sink, layer);
    });
    await kind.withLayers(feeds, built, async (tree) => {
      await use(tree);
    });
  }

  each(`${kind.name} sink`, ACCEPTED_LAYERS, async ({ layers, want }) => {
    await withTree(layers, async (tree) => {
      assert.deepEqual(await linesOf(tree), [...want].sort());
    });
  });

  each(`${kind.name} sink refuses`, REFUSED_LAYERS, async ({ layers, code }) => {
    await assertFails(code ?? 'LAYER_ENTRY_REFUSED', () => withTree(layers, () => undefined));
  });

  test(`${kind.name} sink: names of one file are one node, in a layer and across layers`, async () => {
    const lower = [{ path: 'a', content: 'x' }];
    const upper = [
      { path: 'b', type: 'hardlink', link: 'a' },
      { path: 'c', content: 'y' },
      { path: 'd', type: 'hardlink', link: 'c' },
    ];
    await withTree([lower, upper], ({ root }) => {
      assert.equal(root.entries.get('a'), root.entries.get('b'));
      assert.equal(root.entries.get('c'), root.entries.get('d'));
      assert.notEqual(root.entries.get('a'), root.entries.get('c'));
    });
  });

  test(`${kind.name} sink: the metadata of the upper directory counts, and only if it is named`, async () => {
    const lower = [
      { path: 'named/', mode: 0o700 },
      { path: 'implied/', mode: 0o711, uid: 9 },
    ];
    const upper = [
      { path: 'named/', mode: 0o755, uid: 5 },
      { path: 'named/x' },
      { path: 'implied/x' },
      { path: 'new/x' },
    ];
    await withTree([lower, upper], ({ root }) => {
      const facts = (name: string): number[] => {
        const { mode, uid } = root.entries.get(name)?.meta ?? assert.fail(name);
        return [mode, uid];
      };
      assert.deepEqual(facts('named'), [0o755, 5]);
      assert.deepEqual(facts('implied'), [0o711, 9]);
      assert.deepEqual(facts('new'), [0o755, 0]);
    });
  });
}

async function linesOf(tree: ImageTree): Promise<string[]> {
  const lines: string[] = [];
  const visit = async (directory: DirectoryNode, path: string): Promise<void> => {
    for (const [name, node] of directory.entries) {
      lines.push(await lineOf(tree, node, path + name));
      if (node.kind === 'directory') await visit(node, `${path}${name}/`);
    }
  };
  await visit(tree.root, '');
  return lines.sort();
}

async function lineOf(tree: ImageTree, node: TreeNode, path: string): Promise<string> {
  if (node.kind === 'symlink') return `${path} -> ${node.target}`;
  if (node.kind !== 'file') return `${path} ${node.kind}`;
  return `${path} = ${(await tree.readFile(node, { maxBytes: 1_000_000 })).toString()}`;
}
