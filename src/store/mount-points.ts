import { OperationalError } from '../errors/operational-error.js';
import { showBytes } from '../layer/show-bytes.js';
import type { DirectoryNode, FileNode, NodeMeta, TreeNode } from '../layer/tree.js';
import { isPrivileged } from './apply-meta.js';
import type { MountPoint } from './image-store.js';
import { IMPLIED_META } from './layer-tree.js';
import { MAX_LINKS, splitPath, walkToDirectory } from './walk-tree.js';

/** A tree with its mount points, and which of them were not there before. */
export interface TreeWithMountPoints {
  readonly root: DirectoryNode;
  /** Absolute byte-string paths, parents included. */
  readonly created: readonly string[];
}

/**
 * Adds what is missing for mount points to a tree: directories, and empty files to mount a file on. Links on the way, and
 * in the place of the mount point itself, are followed inside the root, as the runtime will follow them. What is there
 * already stays what it is. The tree that was given does not change.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED if a file of the image stands in the way
 */
export function addMountPoints(
  root: DirectoryNode,
  mountPoints: readonly MountPoint[],
): TreeWithMountPoints {
  if (mountPoints.length === 0) return { root, created: [] };
  const tree = new OpenTree(root);
  for (const { path, kind } of mountPoints) {
    if (kind === 'directory') tree.directory([tree.root], path);
    else tree.file(path);
  }
  return { root: tree.root, created: tree.created };
}

/**
 * Whether something that an image does not have can be what {@link addMountPoints} made in a checkout of it: empty, root's,
 * of the epoch, with the modes that are given there. Only whoever sets out to can make something else that looks like this,
 * and it would be empty.
 */
export function isMadeMountPoint(node: TreeNode): boolean {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = node.meta;
  const isOurs = isPrivileged() ? uid === 0 && gid === 0 : uid === process.geteuid?.();
  if (!isOurs || mtimeSeconds !== 0 || mtimeNanoseconds !== 0) return false;
  if (node.kind === 'file') return mode === EMPTY_FILE_META.mode && node.size === 0;
  if (node.kind !== 'directory' || mode !== IMPLIED_META.mode) return false;
  return [...node.entries.values()].every(isMadeMountPoint);
}

interface OpenDirectory extends DirectoryNode {
  readonly meta: NodeMeta;
  readonly entries: Map<string, OpenDirectory | Exclude<TreeNode, DirectoryNode>>;
}

const EMPTY_FILE_META: NodeMeta = { ...IMPLIED_META, mode: 0o644 };
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** A tree to be added to: copies of the directories on the way to what is added, everything else shared with the original. */
class OpenTree {
  readonly root: OpenDirectory;
  readonly created: string[] = [];
  /** Of the directories that are copies, or new. */
  readonly #paths = new Map<OpenDirectory, string>();

  constructor(root: DirectoryNode) {
    this.root = this.#copy(root, '');
  }

  /** Makes sure of a directory; the directories from the root to it. */
  directory(from: readonly OpenDirectory[], path: string): OpenDirectory[] {
    const made = new Set<OpenDirectory>();
    const stack = walkToDirectory({
      from,
      path,
      make: () => {
        const directory: OpenDirectory = {
          kind: 'directory',
          meta: IMPLIED_META,
          entries: new Map(),
        };
        made.add(directory);
        return directory;
      },
      enter: (child, { parent, name }) => {
        if (made.has(child) || this.#paths.has(child)) return child;
        const copy = this.#copy(child, `${this.#paths.get(parent) ?? ''}/${name}`);
        parent.entries.set(name, copy);
        return copy;
      },
    });
    if (stack === undefined) throw new Error('internal error: a walk that makes found nothing');
    stack.forEach((directory, depth) => {
      if (!made.has(directory)) return;
      const parent = stack[depth - 1];
      const name = [...(parent?.entries ?? [])].find(([, node]) => node === directory)?.[0] ?? '';
      const own = `${parent === undefined ? '' : (this.#paths.get(parent) ?? '')}/${name}`;
      this.#paths.set(directory, own);
      this.created.push(own);
    });
    return stack;
  }

  file(path: string): void {
    let from = [this.root];
    let next = path;
    for (let links = 0; links <= MAX_LINKS; links += 1) {
      const { parent, name } = splitPath(next.replace(/\/+$/, ''));
      from = this.directory(next.startsWith('/') ? [this.root] : from, parent);
      const directory = from.at(-1);
      const existing = directory?.entries.get(name);
      if (existing?.kind === 'symlink') {
        next = existing.target;
        continue;
      }
      if (existing !== undefined || directory === undefined || /^\.{0,2}$/.test(name)) return;
      const file: FileNode = {
        kind: 'file',
        meta: EMPTY_FILE_META,
        size: 0,
        contentSha256: EMPTY_SHA256,
      };
      directory.entries.set(name, file);
      this.created.push(`${this.#paths.get(directory) ?? ''}/${name}`);
      return;
    }
    throw new OperationalError(
      'LAYER_ENTRY_REFUSED',
      `refusing the mount point ${showBytes(path)}: its symbolic links go in circles`,
    );
  }

  #copy(directory: DirectoryNode, path: string): OpenDirectory {
    // What is below is copied, too, before it is changed.
    const entries = new Map(directory.entries) as OpenDirectory['entries'];
    const copy: OpenDirectory = { kind: 'directory', meta: directory.meta, entries };
    this.#paths.set(copy, path);
    return copy;
  }
}
