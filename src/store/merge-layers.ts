import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { DirectoryNode, NodeMeta, TreeNode } from '../layer/tree.js';
import { IMPLIED_META, type LayerDirectory, type LayerTree } from './layer-tree.js';
import { MAX_TREE_DEPTH, splitPath, tooDeep, walkToDirectory } from './walk-tree.js';

/*
 * Laying layers over each other (image-spec v1.1 layer.md, "Applying Changesets"), on trees alone: no file is touched, so
 * no link in a lower layer can lead anywhere (containerd CVE-2025-47290).
 *
 * For each layer, lowest first:
 *  1. hide: whiteouts and opaque directories take away from what is below; never from the layer itself, wherever in its
 *     archive they stand;
 *  2. add: what the layer names. A directory over a directory merges, with the upper one's metadata; everything else
 *     replaces what is there, a directory over a symbolic link too;
 *  3. what the layer only implies where a link stands below (`lib/x` over `lib -> usr/lib`) goes where the link leads,
 *     inside the root: an image built on a merged /usr expects that. Links of this layer count, so it comes after 2;
 *  4. hard links to files below. What a layer takes away it cannot link to.
 */

/** A directory while trees are merged; every directory of the result is one. */
interface MergedDirectory extends DirectoryNode {
  meta: NodeMeta;
  readonly entries: Map<string, MergedNode>;
}

type MergedNode = MergedDirectory | Exclude<TreeNode, DirectoryNode>;

/**
 * The tree that layers come to, lowest first.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED for a path below something that is no directory, for links that go in
 * circles, for a hard link to what is not there; LAYER_LIMIT_EXCEEDED if it gets too deep
 */
export function mergeLayers(layers: readonly LayerTree[]): DirectoryNode {
  const root = newDirectory(IMPLIED_META);
  for (const layer of layers) new LayerMerge(root).apply(layer.root);
  return root;
}

class LayerMerge {
  readonly #root: MergedDirectory;
  readonly #throughLinks: {
    readonly stack: readonly MergedDirectory[];
    readonly name: string;
    readonly directory: LayerDirectory;
  }[] = [];
  readonly #links: {
    readonly parent: MergedDirectory;
    readonly name: string;
    readonly target: string;
  }[] = [];

  constructor(root: MergedDirectory) {
    this.#root = root;
  }

  apply(layer: LayerDirectory): void {
    this.#hide(layer, [this.#root]);
    this.#add(layer, [this.#root]);
    for (let next = this.#throughLinks.shift(); next; next = this.#throughLinks.shift()) {
      const { stack, name, directory } = next;
      const target = walkToDirectory({
        from: stack,
        path: name,
        make: () => newDirectory(IMPLIED_META),
      });
      if (target !== undefined) this.#add(directory, target);
    }
    for (const { parent, name, target } of this.#links) {
      parent.entries.set(name, this.#linkTarget(name, target));
    }
  }

  #hide(layer: LayerDirectory, stack: readonly MergedDirectory[]): void {
    const target = last(stack);
    for (const [name, child] of layer.entries) {
      if (child.kind !== 'directory') continue;
      const below = target.entries.get(name);
      if (below?.kind === 'directory') this.#hide(child, [...stack, below]);
      else if (below?.kind === 'symlink' && child.meta === undefined) {
        const led = walkToDirectory({ from: stack, path: name });
        if (led !== undefined) this.#hide(child, led);
      }
    }
    if (layer.opaque) target.entries.clear();
    for (const name of layer.whiteouts ?? []) target.entries.delete(name);
  }

  #add(layer: LayerDirectory, stack: readonly MergedDirectory[]): void {
    if (stack.length > MAX_TREE_DEPTH + 1) throw tooDeep([...layer.entries.keys()][0] ?? '');
    const target = last(stack);
    if (layer.meta !== undefined) target.meta = layer.meta;
    for (const [name, child] of layer.entries) {
      if (child.kind === 'directory') this.#addDirectory(child, name, stack);
      else if (child.kind === 'link-below') {
        this.#links.push({ parent: target, name, target: child.target });
      } else target.entries.set(name, child);
    }
  }

  #addDirectory(child: LayerDirectory, name: string, stack: readonly MergedDirectory[]): void {
    const target = last(stack);
    const below = target.entries.get(name);
    if (below?.kind === 'directory') {
      this.#add(child, [...stack, below]);
      return;
    }
    if (child.meta === undefined && below !== undefined) {
      if (below.kind === 'symlink') {
        this.#throughLinks.push({ stack, name, directory: child });
        return;
      }
      throw new OperationalError(
        'LAYER_ENTRY_REFUSED',
        `refusing a layer with files below ${showBytes(name)}, which is a file in a lower layer`,
      );
    }
    const added = newDirectory(child.meta ?? IMPLIED_META);
    target.entries.set(name, added);
    this.#add(child, [...stack, added]);
  }

  #linkTarget(name: string, path: string): MergedNode {
    const split = splitPath(path);
    const parent = walkToDirectory({ from: [this.#root], path: split.parent })?.at(-1);
    const node = parent?.entries.get(split.name);
    if (node === undefined || node.kind === 'directory') {
      throw new OperationalError(
        'LAYER_ENTRY_REFUSED',
        `refusing the hard link ${showBytes(name)}: there is no file ${showBytes(path)} to link to`,
      );
    }
    return node;
  }
}

function newDirectory(meta: NodeMeta): MergedDirectory {
  return { kind: 'directory', meta, entries: new Map() };
}

function last(stack: readonly MergedDirectory[]): MergedDirectory {
  const directory = stack.at(-1);
  if (directory === undefined) throw new Error('internal error: a merge outside the root');
  return directory;
}
