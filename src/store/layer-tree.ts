import type { FileNode, NodeMeta, SpecialNode, SymlinkNode } from '../layer/tree.js';

/*
 * What one layer holds, before it is laid over others. It differs from an image's tree (`layer/tree.ts`) in what only
 * means something over layers below: whiteouts, opaque directories, directories that are merely implied by a path, and
 * hard links to files of lower layers.
 */

/** A directory of a layer. */
export interface LayerDirectory {
  readonly kind: 'directory';
  /** Undefined where no entry names the directory and only paths through it imply it. */
  meta: NodeMeta | undefined;
  /** Hides all that the layers below have here. */
  opaque: boolean;
  /** Names that the layers below lose here; undefined for none, as in nearly all of a million directories. */
  whiteouts: Set<string> | undefined;
  readonly entries: Map<string, LayerNode>;
}

/** A hard link to a path that this layer lacks. */
export interface LinkBelow {
  readonly kind: 'link-below';
  /** Byte string, clean, from the image's root. */
  readonly target: string;
}

/** Anything in a layer that is no directory. */
export type LayerLeaf = FileNode | SymlinkNode | SpecialNode | LinkBelow;

/** Anything that stands in a layer. Hard links within the layer are one node under several names. */
export type LayerNode = LayerDirectory | LayerLeaf;

/** A layer as a value. */
export interface LayerTree {
  readonly root: LayerDirectory;
  /** Sum of the sizes of its files, each content once for each time the archive brought it. */
  readonly contentBytes: number;
  /** All nodes that may have several names, where that is known: few of many. */
  readonly linked?: ReadonlySet<LayerNode>;
}

/** A directory that nothing has named yet. */
export function impliedDirectory(): LayerDirectory {
  return {
    kind: 'directory',
    meta: undefined,
    opaque: false,
    whiteouts: undefined,
    entries: new Map(),
  };
}

/** What a directory gets that no layer describes, as every unpacker gives it. */
export const IMPLIED_META: NodeMeta = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};
