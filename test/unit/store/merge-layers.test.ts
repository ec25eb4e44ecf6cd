import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { DirectoryNode, NodeMeta } from '../../../src/layer/tree.js';
import { decodeLayer, encodeLayer } from '../../../src/store/layer-file.js';
import { impliedDirectory, type LayerTree } from '../../../src/store/layer-tree.js';
import { LayerTreeBuilder } from '../../../src/store/layer-tree-builder.js';
import { mergeLayers } from '../../../src/store/merge-layers.js';

/*
 * Layers without links against a model that knows no trees: a flat list of paths, each layer unpacked onto it one entry
 * after the other, deletions first.
 */

interface Entry {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'whiteout' | 'opaque';
}

type Layer = readonly Entry[];

const path = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'));
const entry: fc.Arbitrary<Entry> = fc.record({
  path,
  kind: fc.constantFrom('file', 'file', 'directory', 'directory', 'whiteout', 'opaque'),
});
const layers = fc.array(fc.array(entry, { maxLength: 10 }).map(withParents), { maxLength: 5 });

/** Names every parent before what is in it, as archives do, and leaves out what would stand below a file of its own layer. */
function withParents(entries: Layer): Layer {
  const kinds = new Map<string, 'file' | 'directory'>();
  const complete: Entry[] = [];
  for (const one of entries) {
    const parents = parentsOf(one.path);
    if (one.kind === 'opaque') parents.push(one.path);
    if (parents.some((parent) => kinds.get(parent) === 'file')) continue;
    for (const parent of parents) {
      if (kinds.has(parent)) continue;
      kinds.set(parent, 'directory');
      complete.push({ path: parent, kind: 'directory' });
    }
    complete.push(one);
    if (one.kind !== 'file' && one.kind !== 'directory') continue;
    // Replaced by a file, what was below is gone, and may be named again.
    if (one.kind === 'file')
      for (const key of kinds.keys()) if (isBelow(key, one.path)) kinds.delete(key);
    kinds.set(one.path, one.kind);
  }
  return complete;
}

function parentsOf(of: string): string[] {
  const parts = of.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function isBelow(candidate: string, of: string): boolean {
  return candidate.startsWith(`${of}/`);
}

/** What the model comes to: path → number of the layer and entry that made it. */
function modelOf(all: readonly Layer[]): Map<string, string> {
  const found = new Map<string, string>();
  const removeBelow = (of: string): void => {
    for (const key of [...found.keys()]) if (isBelow(key, of)) found.delete(key);
  };
  all.forEach((layer, layerNumber) => {
    for (const { path: at, kind } of layer) {
      if (kind === 'whiteout') found.delete(at);
      if (kind === 'whiteout' || kind === 'opaque') removeBelow(at);
    }
    layer.forEach(({ path: at, kind }, entryNumber) => {
      const value = `${kind} ${layerNumber}.${entryNumber}`;
      if (kind === 'file') removeBelow(at);
      if (kind === 'file' || kind === 'directory') found.set(at, value);
    });
  });
  return found;
}

function metaOf(seconds: number, nanoseconds: number): NodeMeta {
  return {
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeSeconds: seconds,
    mtimeNanoseconds: nanoseconds,
    xattrs: [],
  };
}

function mergeOf(
  all: readonly Layer[],
  takeIn: (tree: LayerTree) => LayerTree,
): Map<string, string> {
  const trees = all.map((layer, layerNumber) => {
    const builder = new LayerTreeBuilder();
    layer.forEach(({ path: at, kind }, entryNumber) => {
      const meta = metaOf(layerNumber, entryNumber);
      if (kind === 'whiteout') builder.addWhiteout(at);
      else if (kind === 'opaque') builder.addOpaque(at);
      else if (kind === 'directory') builder.addDirectory(at, meta);
      else builder.addNode(at, { kind, meta, size: 0, contentSha256: '00'.repeat(32) });
    });
    return takeIn(builder.finish());
  });
  const found = new Map<string, string>();
  const visit = (directory: DirectoryNode, prefix: string): void => {
    for (const [name, node] of directory.entries) {
      const { mtimeSeconds, mtimeNanoseconds } = node.meta;
      found.set(prefix + name, `${node.kind} ${mtimeSeconds}.${mtimeNanoseconds}`);
      if (node.kind === 'directory') visit(node, `${prefix}${name}/`);
    }
  };
  visit(mergeLayers(trees), '');
  return found;
}

test('a layer that comes twice is laid over itself', () => {
  const layer: Layer = [
    { path: 'a', kind: 'directory' },
    { path: 'a/b', kind: 'file' },
    { path: 'a', kind: 'opaque' },
  ];
  const trees: LayerTree[] = [];
  mergeOf([layer], (tree) => {
    trees.push(tree, tree);
    return { root: impliedDirectory(), contentBytes: 0 };
  });
  const directory = mergeLayers(trees).entries.get('a');
  assert.ok(directory?.kind === 'directory');
  assert.deepEqual([...directory.entries.keys()], ['b']);
});

test('mergeLayers() comes to what unpacking one entry after the other comes to', () => {
  fc.assert(
    fc.property(layers, (all) => {
      const sorted = (map: Map<string, string>): [string, string][] => [...map].sort();
      const want = sorted(modelOf(all));
      assert.deepEqual(sorted(mergeOf(all, (tree) => tree)), want);
      const recorded = (tree: LayerTree): LayerTree => decodeLayer(encodeLayer(tree), 'test');
      assert.deepEqual(sorted(mergeOf(all, recorded)), want);
    }),
    { numRuns: 3000 },
  );
});
