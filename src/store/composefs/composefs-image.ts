import type { DirectoryNode, FileNode, SymlinkNode, TreeNode, Xattr } from '../../layer/tree.js';
import { directoryBytes, encodeDirectory, splitNames } from './directory-blocks.js';
import {
  deviceNumber,
  encodeXattrs,
  entryType,
  INODE_BYTES,
  isInOneBlock,
  LARGEST_CHUNK,
  Layout,
  writeInode,
  type LayoutNumber,
} from './erofs-inode.js';
import { BLOCK_BYTES, INODES_AT, NODE_BYTES, writeSuperblock } from './erofs-layout.js';

/** Where the content of a file is, and what it has to be. */
export interface SealedContent {
  /** Below the folder that is the data layer: `ab/cdef.file`. */
  readonly path: string;
  /** fs-verity, SHA-256. */
  readonly digest: Uint8Array;
}

/**
 * The image of a tree as composefs has it: an EROFS file of names, owners, modes, times, attributes and links, without
 * the content of files. overlayfs takes that from a data-only layer below (Linux 6.6, overlayfs.rst, "Data-only lower
 * layers", "fs-verity support"): by the path that the attribute `trusted.overlay.redirect` of a file says, and with
 * `verity=require` only if fs-verity measures the digest that `trusted.overlay.metacopy` says.
 *
 * Written here and not by libostree, in which trees have no devices and no names that are not UTF-8, and whose objects
 * are not what the image has in a repository that lets everybody in (tame-objects.ts). Names that are the same,
 * whatever their order, come to the same bytes.
 *
 * @throws `OperationalError` STORE_UNSUITABLE for what such an image has no form for; what `contentOf` throws
 */
export function encodeComposefsImage(
  root: DirectoryNode,
  contentOf: (node: FileNode) => SealedContent,
): Buffer {
  const writer = new ImageWriter(contentOf);
  writer.add(root);
  return writer.encode();
}

/**
 * Paths of the files of which the image of a tree that is the same but for content says another one, in the order of the tree;
 * empty files have none. `image` has the size of the tree's own.
 */
export function findOtherContents(
  root: DirectoryNode,
  contentOf: (node: FileNode) => SealedContent,
  image: Buffer,
): readonly string[] {
  const writer = new ImageWriter(contentOf);
  writer.add(root);
  const others: string[] = [];
  const visit = (directory: DirectoryNode, path: string): void => {
    for (const [name, node] of directory.entries) {
      if (node.kind === 'directory') visit(node, `${path}${name}/`);
      else if (node.kind === 'file' && writer.isOtherIn(image, node)) others.push(`${path}${name}`);
    }
  };
  visit(root, '');
  return others;
}

/** An inode that has its place. */
interface Placed {
  readonly node: TreeNode;
  readonly at: number;
  readonly layout: LayoutNumber;
  readonly size: number;
  readonly attributes: Buffer;
  readonly names: readonly (readonly string[])[];
  /** Of the directory above; of the root, itself. */
  parent: Placed | undefined;
  links: number;
}

class ImageWriter {
  readonly #contentOf: (node: FileNode) => SealedContent;
  readonly #placed = new Map<TreeNode, Placed>();
  #end = INODES_AT;

  constructor(contentOf: (node: FileNode) => SealedContent) {
    this.#contentOf = contentOf;
  }

  add(node: TreeNode, parent?: Placed): void {
    const known = this.#placed.get(node);
    if (known !== undefined && node.kind !== 'directory') {
      known.links += 1;
      return;
    }
    const placed = this.#place(node, parent);
    this.#placed.set(node, placed);
    if (node.kind !== 'directory') return;
    if (parent !== undefined) parent.links += 1;
    const entries = [...node.entries].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [, child] of entries) this.add(child, placed);
  }

  encode(): Buffer {
    // Content that has blocks of its own comes behind all inodes.
    let block = Math.ceil(this.#end / BLOCK_BYTES);
    const blocks = new Map<Placed, number>();
    for (const placed of this.#placed.values()) {
      const own = blocksOf(placed);
      if (own === 0) continue;
      blocks.set(placed, block);
      block += own;
    }
    const image = Buffer.alloc(block * BLOCK_BYTES);
    let number = 0;
    for (const placed of this.#placed.values()) {
      number += 1;
      this.#write(image, placed, { number, block: blocks.get(placed) });
    }
    const rootNid = INODES_AT / NODE_BYTES;
    writeSuperblock(image, { rootNid, inodes: number, blocks: block });
    return image;
  }

  /** Whether an image of the same places has other attributes of a file: among them is what its content measures. */
  isOtherIn(image: Buffer, node: FileNode): boolean {
    const placed = this.#placed.get(node);
    if (placed === undefined) return false;
    const { at, attributes } = placed;
    return !image
      .subarray(at + INODE_BYTES)
      .subarray(0, attributes.length)
      .equals(attributes);
  }

  #place(node: TreeNode, parent: Placed | undefined): Placed {
    const attributes = encodeXattrs(this.#xattrsOf(node));
    const head = INODE_BYTES + attributes.length;
    const names = node.kind === 'directory' ? splitNames([...node.entries.keys()]) : [];
    const size = sizeOf(node, names);
    const links = node.kind === 'directory' ? 2 : 1;
    let at = this.#end;
    const put = (layout: LayoutNumber, behind: number): Placed => {
      const used = at + head + behind;
      this.#end = used + (-used & (NODE_BYTES - 1));
      return { node, at, layout, size, attributes, names, parent, links };
    };
    if (node.kind === 'file' && size > 0) return put(Layout.chunks, 4);
    const tail = size % BLOCK_BYTES;
    if (tail === 0 || node.kind === 'file') return put(Layout.plain, 0);
    // Further back it may fit into a block; where it never does, it gets one of its own.
    for (let steps = 0; steps < BLOCK_BYTES / NODE_BYTES; steps += 1, at += NODE_BYTES)
      if (isInOneBlock(at + head, tail)) return put(Layout.inline, tail);
    at = this.#end;
    return put(Layout.plain, 0);
  }

  #xattrsOf(node: TreeNode): readonly Xattr[] {
    const { xattrs } = node.meta;
    if (node.kind !== 'file' || node.size === 0) return xattrs;
    const { path, digest } = this.#contentOf(node);
    return [
      ...xattrs,
      { name: 'trusted.overlay.metacopy', value: encodeMetacopy(digest) },
      { name: 'trusted.overlay.redirect', value: Buffer.from(`/${path}`) },
    ];
  }

  #write(
    image: Buffer,
    placed: Placed,
    { number, block }: { readonly number: number; readonly block: number | undefined },
  ): void {
    const { node, at, layout, size, attributes, links } = placed;
    const where = layout === Layout.chunks ? LARGEST_CHUNK : (block ?? deviceNumber(node));
    writeInode(image, at, { node, number, links, layout, size, where, attributes });
    const behind = at + INODE_BYTES + attributes.length;
    if (layout === Layout.chunks) {
      image.writeUInt32LE(NO_BLOCK, behind);
      return;
    }
    const content = this.#inlineContent(placed);
    const own = (block ?? 0) * BLOCK_BYTES;
    const inBlocks =
      layout === Layout.plain ? content.length : content.length - (size % BLOCK_BYTES);
    content.copy(image, own, 0, inBlocks);
    content.copy(image, behind, inBlocks);
  }

  /** What stands in the image itself: the entries of a directory, the target of a link. */
  #inlineContent(placed: Placed): Buffer {
    const { node, names, parent } = placed;
    if (node.kind === 'symlink') return targetOf(node);
    if (node.kind !== 'directory') return Buffer.alloc(0);
    return encodeDirectory(names, (name) => {
      const child = node.entries.get(name);
      const to =
        name === '.'
          ? placed
          : name === '..'
            ? (parent ?? placed)
            : child && this.#placed.get(child);
      if (to === undefined) throw new Error('internal error: an entry without an inode');
      return { name, nid: to.at / NODE_BYTES, type: entryType(to.node) };
    });
  }
}

/** The address of a block that is not there: of a hole. */
const NO_BLOCK = 0xffffffff;

function sizeOf(node: TreeNode, names: readonly (readonly string[])[]): number {
  if (node.kind === 'directory') return directoryBytes(names);
  if (node.kind === 'symlink') return targetOf(node).length;
  return node.kind === 'file' ? node.size : 0;
}

function targetOf({ target }: SymlinkNode): Buffer {
  return Buffer.from(target, 'latin1');
}

/** Blocks that are an inode's alone. */
function blocksOf({ layout, size }: Placed): number {
  if (layout === Layout.chunks) return 0;
  return layout === Layout.plain ? Math.ceil(size / BLOCK_BYTES) : Math.floor(size / BLOCK_BYTES);
}

/** `struct ovl_metacopy` of Linux (fs/overlayfs/overlayfs.h): version, length, flags, algorithm (1 is SHA-256), digest. */
function encodeMetacopy(digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 4 + digest.length, 0, 1]), digest]);
}
