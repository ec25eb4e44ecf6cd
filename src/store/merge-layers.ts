import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { DirectoryNode, NodeMeta, TreeNode } from '../layer/tree.js';
import { IMPLIED_META, type LayerDirectory, type LayerTree } from './layer-tree.js';
import { RecordedDirectory } from './recorded-layer.js';
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
 * The tree that layers come to, lowest first. It takes their directories over where nothing lies under them; the layers are of no
 * further use.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED for a path below something that is no directory, for links that go in
 * circles, for a hard link to what is not there; LAYER_LIMIT_EXCEEDED if it gets too deep
 */
export function mergeLayers(layers: readonly LayerTree[]): DirectoryNode {
  const root = newDirectory(IMPLIED_META);
  for (const [index, layer] of layers.entries()) {
    // One that comes twice is needed as it is.
    const adopts = !layers.includes(layer, index + 1) && layers.indexOf(layer) === index;
    new LayerMerge(root, adopts).apply(layer.root);
  }
  return root;
}

class LayerMerge {
  readonly #root: MergedDirectory;
  readonly #adopts: boolean;
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

  constructor(root: MergedDirectory, adopts: boolean) {
    this.#root = root;
    this.#adopts = adopts;
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
      entriesOf(parent).set(name, this.#linkTarget(name, target));
    }
  }

  #hide(layer: LayerDirectory, stack: readonly MergedDirectory[]): void {
    const target = last(stack);
    for (const [name, child] of layer.entries) {
      if (child.kind !== 'directory') continue;
      const below = entriesOf(target).get(name);
      if (below?.kind === 'directory') this.#hide(child, [...stack, below]);
      else if (below?.kind === 'symlink' && child.meta === undefined) {
        const led = walkToDirectory({ from: stack, path: name });
        if (led !== undefined) this.#hide(child, led);
      }
    }
    if (layer.opaque) target.entries.clear();
    for (const name of layer.whiteouts ?? []) entriesOf(target).delete(name);
  }

  #add(layer: LayerDirectory, stack: readonly MergedDirectory[]): void {
    if (stack.length > MAX_TREE_DEPTH + 1) throw tooDeep([...layer.entries.keys()][0] ?? '');
    const target = last(stack);
    if (layer.meta !== undefined) target.meta = layer.meta;
    for (const [name, child] of layer.entries) {
      if (child.kind === 'directory') this.#addDirectory(child, name, stack);
      else if (child.kind === 'link-below') {
        this.#links.push({ parent: target, name, target: child.target });
      } else entriesOf(target).set(name, child);
    }
  }

  /** Where nothing lies below there is nothing to lay over: the layer's own directory becomes the image's. */
  #adopt(directory: LayerDirectory, name: string, depth: number): MergedDirectory {
    if (directory instanceof RecordedDirectory && directory.isComplete) {
      if (depth + directory.height > MAX_TREE_DEPTH) throw tooDeep(name);
      return directory as MergedDirectory;
    }
    if (depth > MAX_TREE_DEPTH) throw tooDeep(name);
    directory.meta ??= IMPLIED_META;
    const adopted = directory as MergedDirectory;
    for (const [childName, child] of directory.entries) {
      if (child.kind === 'directory') this.#adopt(child, childName, depth + 1);
      else if (child.kind === 'link-below')
        this.#links.push({ parent: adopted, name: childName, target: child.target });
    }
    return adopted;
  }

  #addDirectory(child: LayerDirectory, name: string, stack: readonly MergedDirectory[]): void {
    const target = last(stack);
    const below = entriesOf(target).get(name);
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
    if (this.#adopts) {
      entriesOf(target).set(name, this.#adopt(child, name, stack.length));
      return;
    }
    const added = newDirectory(child.meta ?? IMPLIED_META);
    entriesOf(target).set(name, added);
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

/** The entries of a directory, one by one: of one that a record describes, no others are made. */
function entriesOf(directory: MergedDirectory): Entries {
  return directory instanceof RecordedDirectory
    ? (directory as unknown as Entries)
    : directory.entries;
}

interface Entries {
  get(name: string): MergedNode | undefined;
  set(name: string, node: MergedNode): void;
  delete(name: string): void;
}

function newDirectory(meta: NodeMeta): MergedDirectory {
  return { kind: 'directory', meta, entries: new Map() };
}

function last(stack: readonly MergedDirectory[]): MergedDirectory {
  const directory = stack.at(-1);
  if (directory === undefined) throw new Error('internal error: a merge outside the root');
  return directory;
}
