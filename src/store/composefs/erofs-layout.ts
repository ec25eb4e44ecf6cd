/** Bytes of a block of the images that berth writes. */
export const BLOCK_BYTES = 4096;

/** An inode is named by where it stands, in pieces of this many bytes. */
export const NODE_BYTES = 32;

/** The superblock: behind the first 1024 bytes, in which other things may stand. */
export const SUPERBLOCK_AT = 1024;
const SUPERBLOCK_BYTES = 128;

/** Where inodes begin. */
export const INODES_AT = SUPERBLOCK_AT + SUPERBLOCK_BYTES;

const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 12;
const CHUNKED_FILE = 4;

/** What a superblock says. Its inodes are named from the beginning of the image on. */
export interface Superblock {
  readonly rootNid: number;
  readonly inodes: number;
  readonly blocks: number;
}

/** Writes the superblock (Linux fs/erofs/erofs_fs.h): no checksum, since fs-verity has one of the whole image. */
export function writeSuperblock(image: Buffer, { rootNid, inodes, blocks }: Superblock): void {
  image.writeUInt32LE(MAGIC, SUPERBLOCK_AT);
  image.writeUInt8(BLOCK_BITS, SUPERBLOCK_AT + 12);
  image.writeUInt16LE(rootNid, SUPERBLOCK_AT + 14);
  image.writeBigUInt64LE(BigInt(inodes), SUPERBLOCK_AT + 16);
  image.writeUInt32LE(blocks, SUPERBLOCK_AT + 36);
  image.writeUInt32LE(CHUNKED_FILE, SUPERBLOCK_AT + 80);
}
