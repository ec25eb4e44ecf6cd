import type { DigestAlgorithm } from '../oci/digest.js';
import { createHashHere, type ContentHash } from '../oci/verify-content.js';
import { createThreadedHash } from '../sys/threaded-hash.js';
import type { ArchiveHash } from './layer-sink.js';

/** A hash that takes turns with other work in the pool of threads, where that gains something. */
export class DiffHash implements ArchiveHash {
  readonly #hash: ContentHash;
  /** Settles when all pieces so far are hashed. */
  #hashing: Promise<void> | undefined;

  /** `expectedBytes` is what comes at least. */
  constructor(algorithm: DigestAlgorithm, expectedBytes: number) {
    this.#hash = createThreadedHash(algorithm, expectedBytes) ?? createHashHere(algorithm);
  }

  add(piece: Uint8Array): void {
    const hashing =
      this.#hashing === undefined
        ? this.#hash.update(piece)
        : this.#hashing.then(() => this.#hash.update(piece));
    this.#hashing = hashing;
    hashing?.then(
      () => {
        if (this.#hashing === hashing) this.#hashing = undefined; // or else more came meanwhile
      },
      () => undefined, // stays, and is thrown in settle
    );
  }

  settle(): Promise<void> | undefined {
    return this.#hashing;
  }

  async digest(): Promise<string> {
    await this.#hashing;
    return this.#hash.digest();
  }

  [Symbol.dispose](): void {
    this.#hash[Symbol.dispose]();
  }
}
