import type { BigIntStats } from 'node:fs';

/** A file takes 250 bytes here: what is met beyond this is read again. */
const MAX_KNOWN = 100_000;

/**
 * SHA-256 of files that one command has read: checkouts of many containers are names of the same files of the store. A file
 * counts as the same as long as nothing has happened to it, which changes its ctime.
 */
export class KnownDigests {
  readonly #digests = new Map<string, string>();

  /** The digest of a file that was read; undefined where it was not, or has changed since. */
  find(stat: BigIntStats): string | undefined {
    return this.#digests.get(keyOf(stat));
  }

  /** Keeps the digest of a file. `stat` is of before it was read, so that what came between is seen. */
  add(stat: BigIntStats, sha256: string): void {
    if (this.#digests.size < MAX_KNOWN) this.#digests.set(keyOf(stat), sha256);
  }
}

function keyOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
