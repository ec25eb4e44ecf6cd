import { BLOCK_BYTES } from './erofs-layout.js';

/*
 * A directory of EROFS: blocks of entries, then their names; sorted by bytes over all blocks, `.` and `..` among them.
 *
 *   entry  inode:u64 offset of the name in the block:u16 type:u8 -:u8
 */

const ENTRY_BYTES = 12;

/** One entry of a directory. */
export interface DirectoryEntry {
  /** Byte string. */
  readonly name: string;
  /** Where its inode stands, in pieces of 32 bytes. */
  readonly nid: number;
  readonly type: number;
}

/** Which names go into which block. */
export function splitNames(names: readonly string[]): readonly (readonly string[])[] {
  const blocks: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  // Byte strings compare as bytes do.
  for (const name of [...names, '.', '..'].sort((one, other) => (one < other ? -1 : 1))) {
    const size = ENTRY_BYTES + name.length;
    if (bytes + size > BLOCK_BYTES) {
      blocks.push(current);
      current = [];
      bytes = 0;
    }
    current.push(name);
    bytes += size;
  }
  return [...blocks, current];
}

/** Bytes of a directory with these blocks: the last is as long as what is in it. */
export function directoryBytes(blocks: readonly (readonly string[])[]): number {
  const last = blocks.at(-1) ?? [];
  const inLast = last.reduce((sum, name) => sum + ENTRY_BYTES + name.length, 0);
  return (blocks.length - 1) * BLOCK_BYTES + inLast;
}

/** The content of a directory. */
export function encodeDirectory(
  blocks: readonly (readonly string[])[],
  entryOf: (name: string) => DirectoryEntry,
): Buffer {
  const content = Buffer.alloc(directoryBytes(blocks));
  blocks.forEach((names, index) => {
    const start = index * BLOCK_BYTES;
    let nameAt = names.length * ENTRY_BYTES;
    names.forEach((name, place) => {
      const at = start + place * ENTRY_BYTES;
      const { nid, type } = entryOf(name);
      content.writeBigUInt64LE(BigInt(nid), at);
      content.writeUInt16LE(nameAt, at + 8);
      content.writeUInt8(type, at + 10);
      content.write(name, start + nameAt, 'latin1');
      nameAt += name.length;
    });
  });
  return content;
}
