import { createHash } from 'node:crypto';

/** What keeps a leaf from being taken for a node (RFC 9162, section 2.1.1). */
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** Where a leaf is in a tree. */
export interface TreePlace {
  readonly index: number;
  readonly size: number;
  /** From the leaf to the root. */
  readonly hashes: readonly Buffer[];
}

/**
 * The root of a Merkle tree in which a leaf stands at a place (RFC 9162, section 2.1.3.2); undefined where the way is longer or shorter
 * than the tree is high.
 */
export function rootAbove(leaf: Buffer, { index, size, hashes }: TreePlace): Buffer | undefined {
  if (index >= size) return undefined;
  let [at, last] = [index, size - 1];
  let root = hash(LEAF, leaf);
  for (const sibling of hashes) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      root = hash(NODE, sibling, root);
      // A node at the right edge may have no sibling for several levels.
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else root = hash(NODE, root, sibling);
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

function hash(...parts: readonly Buffer[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}
