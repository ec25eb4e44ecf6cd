import { OperationalError } from '../errors/operational-error.js';
import type { FileNode, SpecialNode, SymlinkNode } from '../layer/tree.js';
import { showBytes } from '../layer/show-bytes.js';
import type { LinkBelow } from './layer-tree.js';

/** As many links as the kernel follows in one path (MAXSYMLINKS). */
export const MAX_LINKS = 40;
/**
 * Real depth of a tree. Paths are limited too, but a path through links may end deeper than it is long, and each next one
 * deeper still; what walks trees afterwards recurses.
 */
export const MAX_TREE_DEPTH = 256;

/** A directory that can be walked: of a layer or of an image. */
export interface Walkable<D> {
  readonly kind: 'directory';
  readonly entries: Map<string, D | FileNode | SymlinkNode | SpecialNode | LinkBelow>;
}

/** How {@link walkToDirectory} goes. */
export interface Walk<D> {
  /** The directories from the root to where the walk starts, both included. */
  readonly from: readonly D[];
  /** Byte string; absolute ones start at the root all the same. */
  readonly path: string;
  /** Makes a directory that is missing; without it, a missing one ends the walk. */
  readonly make?: () => D;
  /** What to go on with in the place of a directory that is gone into: a copy that may be changed, say. */
  readonly enter?: (child: D, at: { readonly parent: D; readonly name: string }) => D;
}

/**
 * The directory that a path leads to, links followed and kept inside the root as by openat2(RESOLVE_IN_ROOT): the list of
 * directories from the root to it. Undefined if there is none and none may be made. Nothing but the tree is looked at.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED if something that is no directory stands in the way, or links go in circles;
 * LAYER_LIMIT_EXCEEDED if it gets too deep
 */
export function walkToDirectory<D extends Walkable<D>>(walk: Walk<D>): D[] | undefined {
  const stack = [...walk.from];
  const todo = walk.path.split('/').reverse();
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const here = stack.at(-1);
    if (here === undefined) throw new Error('internal error: a walk without a root');
    let next = here.entries.get(name);
    if (next === undefined) {
      if (walk.make === undefined) return undefined;
      next = walk.make();
      here.entries.set(name, next);
    }
    if (next.kind === 'symlink') {
      links += 1;
      if (links > MAX_LINKS) throw inTheWay(walk.path, 'its symbolic links go in circles');
      if (next.target.startsWith('/')) stack.length = 1;
      todo.push(...next.target.split('/').reverse());
    } else if (next.kind === 'directory') {
      if (stack.length > MAX_TREE_DEPTH) throw tooDeep(walk.path);
      stack.push(walk.enter?.(next, { parent: here, name }) ?? next);
    } else {
      throw inTheWay(walk.path, `${showBytes(name)} in it is not a directory`);
    }
  }
  return stack;
}

/** Splits a clean path into the path of its parent and its last name. */
export function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

function inTheWay(path: string, why: string): OperationalError {
  return new OperationalError(
    'LAYER_ENTRY_REFUSED',
    `refusing the path ${showBytes(path)}: ${why}`,
  );
}

/** The error for a tree that is deeper than {@link MAX_TREE_DEPTH}. */
export function tooDeep(path: string): OperationalError {
  return new OperationalError(
    'LAYER_LIMIT_EXCEEDED',
    `refusing the path ${showBytes(path)}: it leads more than ${MAX_TREE_DEPTH} levels deep`,
  );
}
