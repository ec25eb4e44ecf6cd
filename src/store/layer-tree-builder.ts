import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { FileNode, NodeMeta, SpecialNode, SymlinkNode } from '../layer/tree.js';
import {
  impliedDirectory,
  type LayerDirectory,
  type LayerNode,
  type LayerTree,
} from './layer-tree.js';
import { splitPath, walkToDirectory } from './walk-tree.js';

/**
 * Builds the tree of a layer from its entries in archive order. Paths are clean, as a `LayerSink` gets them; links in the
 * place of a parent are followed inside the layer's own root. Later entries replace earlier ones of the same path, except
 * that a directory over a directory changes its metadata only.
 */
export class LayerTreeBuilder {
  readonly #root: LayerDirectory = impliedDirectory();
  readonly #linksBelow: { readonly path: string; readonly target: string }[] = [];
  readonly #linked = new Set<LayerNode>();
  #contentBytes = 0;
  /** Archives list a directory's content together, so the last parent is mostly the next one too. */
  #lastParent: { readonly path: string; readonly directory: LayerDirectory } | undefined;

  addDirectory(path: string, meta: NodeMeta): void {
    if (path === '') {
      this.#root.meta = meta;
      return;
    }
    const { directory, name } = this.#place(path);
    const existing = directory.entries.get(name);
    if (existing?.kind === 'directory') {
      existing.meta = meta;
      return;
    }
    const added = impliedDirectory();
    added.meta = meta;
    // What it replaces had hidden a directory of the layers below, whose content must not come back.
    added.opaque = existing !== undefined;
    this.#put(path, added);
  }

  addNode(path: string, node: FileNode | SymlinkNode | SpecialNode): void {
    if (node.kind === 'file') this.#contentBytes += node.size;
    this.#put(path, node);
  }

  /** @throws `OperationalError` LAYER_ENTRY_REFUSED if the target is a directory */
  addHardLink(path: string, target: string): void {
    const existing = this.#find(target);
    if (existing?.kind === 'directory') {
      throw refusedLink(path, target, 'that is a directory');
    }
    if (existing === undefined) this.#linksBelow.push({ path, target });
    else this.#linked.add(existing);
    this.#put(path, existing ?? { kind: 'link-below', target });
  }

  addWhiteout(path: string): void {
    const { directory, name } = this.#place(path);
    directory.whiteouts ??= new Set();
    directory.whiteouts.add(name);
  }

  addOpaque(path: string): void {
    const { directory } = this.#place(path === '' ? '' : `${path}/.`);
    directory.opaque = true;
  }

  /**
   * The finished tree.
   *
   * @throws `OperationalError` LAYER_ENTRY_REFUSED if a hard link came before its target: unpackers differ on what it means
   */
  finish(): LayerTree {
    for (const { path, target } of this.#linksBelow) {
      const found = this.#find(target);
      if (found !== undefined && found.kind !== 'link-below') {
        throw refusedLink(path, target, 'that comes later in the layer');
      }
    }
    return { root: this.#root, contentBytes: this.#contentBytes, linked: this.#linked };
  }

  #put(path: string, node: LayerNode): void {
    const { directory, name } = this.#place(path);
    if (directory.entries.has(name)) this.#lastParent = undefined; // it may have led through what goes
    directory.entries.set(name, node);
  }

  /** The directory in which a path's last component stands; directories on the way are implied. */
  #place(path: string): { readonly directory: LayerDirectory; readonly name: string } {
    const { parent, name } = splitPath(path);
    if (this.#lastParent?.path === parent) return { directory: this.#lastParent.directory, name };
    const directory = walkToDirectory({
      from: [this.#root],
      path: parent,
      make: impliedDirectory,
    })?.at(-1);
    if (directory === undefined) throw new Error('internal error: a walk that makes found nothing');
    this.#lastParent = { path: parent, directory };
    return { directory, name };
  }

  #find(path: string): LayerNode | undefined {
    const { parent, name } = splitPath(path);
    const directory = walkToDirectory({ from: [this.#root], path: parent })?.at(-1);
    return directory?.entries.get(name);
  }
}

function refusedLink(path: string, target: string, why: string): OperationalError {
  return new OperationalError(
    'LAYER_ENTRY_REFUSED',
    `refusing the hard link ${showBytes(path)} to ${showBytes(target)}: ${why}`,
  );
}
