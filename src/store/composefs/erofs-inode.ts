import { OperationalError } from '../../errors/operational-error.js';
import { showBytes } from '../../layer/show-bytes.js';
import type { TreeNode, Xattr } from '../../layer/tree.js';
import { BLOCK_BYTES, NODE_BYTES } from './erofs-layout.js';

/*
 * An inode of EROFS (the extended form, Linux fs/erofs/erofs_fs.h) with its attributes:
 *
 *   inode       format:u16 attributes:u16 mode:u16 -:u16 size:u64 where:u32 number:u32 uid:u32 gid:u32
 *               mtime:u64 mtime_nsec:u32 nlink:u32 -:16
 *   attributes  filter:u32 shared:u8 -:7 entry*
 *   entry       length of name:u8 prefix:u8 length of value:u16 name value padding to 4
 */

/** Bytes of an inode without its attributes. */
export const INODE_BYTES = 2 * NODE_BYTES;

/** How the content of an inode is kept. */
export const Layout = {
  /** In blocks of its own. */
  plain: 0,
  /** In blocks, and what is left behind the inode. */
  inline: 2,
  /** In chunks; a regular file has one, which is a hole: its content is in another layer of the overlay. */
  chunks: 4,
} as const;

/** One of {@link Layout}. */
export type LayoutNumber = (typeof Layout)[keyof typeof Layout];

/** A chunk of 2^43 bytes, the largest there is, is larger than any file. */
export const LARGEST_CHUNK = 31;

const EXTENDED = 1;
const XATTR_HEADER_BYTES = 12;
/** Longest prefixes first. The access lists are named by their prefix alone. */
const XATTR_PREFIXES = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['security.', 6],
  ['trusted.', 4],
  ['user.', 1],
] as const;

const TYPES: Readonly<Record<TreeNode['kind'], { readonly mode: number; readonly entry: number }>> =
  {
    file: { mode: 0o100000, entry: 1 },
    directory: { mode: 0o040000, entry: 2 },
    'character-device': { mode: 0o020000, entry: 3 },
    'block-device': { mode: 0o060000, entry: 4 },
    fifo: { mode: 0o010000, entry: 5 },
    symlink: { mode: 0o120000, entry: 7 },
  };

/** What an inode says. */
export interface InodeFacts {
  readonly node: TreeNode;
  /** Of the inode, from 1 on. */
  readonly number: number;
  readonly links: number;
  readonly layout: LayoutNumber;
  readonly size: number;
  /** The first block of its content, the form of its chunks, or the device. */
  readonly where: number;
  readonly attributes: Buffer;
}

/** The kind of a node as an entry of a directory says it. */
export function entryType(node: TreeNode): number {
  return TYPES[node.kind].entry;
}

/** Writes an inode with its attributes. */
export function writeInode(image: Buffer, at: number, facts: InodeFacts): void {
  const { node, attributes } = facts;
  const { meta } = node;
  const words = attributes.length === 0 ? 0 : (attributes.length - XATTR_HEADER_BYTES) / 4 + 1;
  image.writeUInt16LE(EXTENDED | (facts.layout << 1), at);
  image.writeUInt16LE(words, at + 2);
  image.writeUInt16LE(TYPES[node.kind].mode | meta.mode, at + 4);
  image.writeBigUInt64LE(BigInt(facts.size), at + 8);
  image.writeUInt32LE(facts.where >>> 0, at + 16);
  image.writeUInt32LE(facts.number, at + 20);
  image.writeUInt32LE(meta.uid, at + 24);
  image.writeUInt32LE(meta.gid, at + 28);
  image.writeBigInt64LE(BigInt(meta.mtimeSeconds), at + 32);
  image.writeUInt32LE(meta.mtimeNanoseconds, at + 40);
  image.writeUInt32LE(facts.links, at + 44);
  attributes.copy(image, at + INODE_BYTES);
}

/**
 * The attributes of an inode, as they stand behind it.
 *
 * @throws `OperationalError` STORE_UNSUITABLE for what EROFS has no form for
 */
export function encodeXattrs(xattrs: readonly Xattr[]): Buffer {
  if (xattrs.length === 0) return Buffer.alloc(0);
  const entries = xattrs.map(encodeXattr);
  const encoded = Buffer.concat([Buffer.alloc(XATTR_HEADER_BYTES), ...entries]);
  if ((encoded.length - XATTR_HEADER_BYTES) / 4 + 1 <= 0xffff) return encoded;
  throw unsuitable(`a file has ${encoded.length} bytes of extended attributes`);
}

function encodeXattr({ name, value }: Xattr): Buffer {
  const known = XATTR_PREFIXES.find(([start]) => name.startsWith(start));
  if (known === undefined || value.length > 0xffff)
    throw unsuitable(`the extended attribute ${showBytes(name)}`);
  const [prefix, index] = known;
  const rest = Buffer.from(name.slice(prefix.length), 'latin1');
  const header = Buffer.from([rest.length, index, value.length & 0xff, value.length >> 8]);
  const length = header.length + rest.length + value.length;
  return Buffer.concat([header, rest, value, Buffer.alloc(-length & 3)]);
}

/**
 * The device of a node as Linux writes it (`new_encode_dev`).
 *
 * @throws `OperationalError` STORE_UNSUITABLE for the device by which an overlay hides what is below it
 */
export function deviceNumber(node: TreeNode): number {
  if (node.kind !== 'character-device' && node.kind !== 'block-device') return 0;
  const { major, minor } = node;
  if (node.kind === 'character-device' && major === 0 && minor === 0)
    throw unsuitable('the character device 0:0');
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/** Whether bytes behind an offset all lie in one block, as what is left of a content has to. */
export function isInOneBlock(at: number, bytes: number): boolean {
  return (at % BLOCK_BYTES) + bytes <= BLOCK_BYTES;
}

function unsuitable(what: string): OperationalError {
  return new OperationalError('STORE_UNSUITABLE', `the image has ${what}: it cannot be sealed`);
}
