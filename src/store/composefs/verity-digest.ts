import { createHash } from 'node:crypto';

const BLOCK_BYTES = 4096;
const DESCRIPTOR_BYTES = 256;

/**
 * What fs-verity measures of a file with this content, sealed as berth, libostree and composefs seal: SHA-256, blocks of 4096 bytes, no
 * salt (Linux Documentation/filesystems/fsverity.rst, "Merkle tree", "fs-verity descriptor").
 */
export function verityDigest(content: Uint8Array): Buffer {
  const descriptor = Buffer.alloc(DESCRIPTOR_BYTES);
  descriptor.set([1, 1, 12]);
  descriptor.writeBigUInt64LE(BigInt(content.length), 8);
  if (content.length > 0) rootHash(content).copy(descriptor, 16);
  return sha256(descriptor);
}

function rootHash(content: Uint8Array): Buffer {
  let level = hashBlocks(content);
  while (level.length > 32) level = hashBlocks(level);
  return level;
}

/** The hashes of all blocks, the last filled up with zeros. */
function hashBlocks(bytes: Uint8Array): Buffer {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    const isFull = block.length === BLOCK_BYTES;
    hashes.push(sha256(isFull ? block : Buffer.concat([block], BLOCK_BYTES)));
  }
  return Buffer.concat(hashes);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
