/**
 * File trees as values: what a layer holds and what an image comes to. Names and paths are *byte strings*: JavaScript
 * strings in which each character is one byte (latin1), because names on Linux are bytes and two different ones must
 * never become the same text. `Buffer.from(name, 'latin1')` gives the bytes for a system call, `decodeByteString` the
 * text to show.
 */

/** Owner, mode, time and extended attributes of a node. */
export interface NodeMeta {
  /** Permission bits, 0–07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since the epoch; may be negative. */
  readonly mtimeSeconds: number;
  /** 0–999,999,999. */
  readonly mtimeNanoseconds: number;
  /** Sorted by name, each name once. */
  readonly xattrs: readonly Xattr[];
}

/** One extended attribute. */
export interface Xattr {
  /** Byte string, with its namespace: `security.capability`. */
  readonly name: string;
  readonly value: Buffer;
}

/** A regular file. Hard links of one file are the same node object under several names. */
export interface FileNode {
  readonly kind: 'file';
  readonly meta: NodeMeta;
  readonly size: number;
  /** SHA-256 of the content, hexadecimal: its name in the store. */
  readonly contentSha256: string;
}

/** A directory of an image: layers applied, whiteouts gone. */
export interface DirectoryNode {
  readonly kind: 'directory';
  readonly meta: NodeMeta;
  /** By byte-string name. */
  readonly entries: ReadonlyMap<string, TreeNode>;
}

/** A symbolic link. */
export interface SymlinkNode {
  readonly kind: 'symlink';
  readonly meta: NodeMeta;
  /** Byte string, as the image has it. */
  readonly target: string;
}

/** A character or block device, or a FIFO. */
export interface SpecialNode {
  readonly kind: 'character-device' | 'block-device' | 'fifo';
  readonly meta: NodeMeta;
  readonly major: number;
  readonly minor: number;
}

/** Anything that stands in a tree. */
export type TreeNode = FileNode | DirectoryNode | SymlinkNode | SpecialNode;

/** The bytes of a byte string, as text to show; bytes that are not UTF-8 become U+FFFD, so never compare it. */
export function decodeByteString(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The byte string of text (UTF-8). */
export function encodeByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
