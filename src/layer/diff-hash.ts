import type { DigestAlgorithm } from '../oci/digest.js';
import { createHashHere, type ContentHash } from '../oci/verify-content.js';
import { createThreadedHash } from '../sys/threaded-hash.js';

/** What a diff id is made of: the hash of an archive, taken while it is unpacked, on another thread where that gains something. */
export class DiffHash implements Disposable {
  readonly #hash: ContentHash;
  /** Settles when all pieces so far are hashed. */
  #hashing: Promise<void> | undefined;

  /** `expectedBytes` is what comes at least. */
  constructor(algorithm: DigestAlgorithm, expectedBytes: number) {
    this.#hash = createThreadedHash(algorithm, expectedBytes) ?? createHashHere(algorithm);
  }

  /** Takes a piece in, behind those that are still being hashed. It must not change before a later {@link DiffHash.settle} is over. */
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

  /** Resolves when all pieces up to now are hashed; undefined where none waits. @throws what hashing threw */
  settle(): Promise<void> | undefined {
    return this.#hashing;
  }

  /** In hexadecimal; once only, when all is settled. */
  digest(): string {
    return this.#hash.digest();
  }

  [Symbol.dispose](): void {
    this.#hash[Symbol.dispose]();
  }
}
