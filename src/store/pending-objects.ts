import type { NodeMeta } from '../layer/tree.js';

/** An object that is written, under a temporary name still. */
interface Pending {
  readonly meta: NodeMeta;
  readonly temporary: number;
  /** Another one with the same content. */
  readonly next: Pending | undefined;
}

/**
 * The new objects of a layer by what they will be called. A name is made anew when it is asked for: of a layer with 100,000
 * files the names alone would be 12 MB, while digest and metadata are there anyway, in the layer's tree.
 */
export class PendingObjects {
  readonly #nameOf: (digest: string, meta: NodeMeta) => string;
  readonly #byDigest = new Map<string, Pending>();

  constructor(nameOf: (digest: string, meta: NodeMeta) => string) {
    this.#nameOf = nameOf;
  }

  /** Whether the object of that name is among them; digest and metadata are what the name is made of. */
  has(name: string, digest: string, meta: NodeMeta): boolean {
    for (let one = this.#byDigest.get(digest); one !== undefined; one = one.next)
      if (one.meta === meta || this.#nameOf(digest, one.meta) === name) return true;
    return false;
  }

  /** Adds one, with the number of its temporary file. That it is among them already does no harm: publishing takes either. */
  add(digest: string, meta: NodeMeta, temporary: number): void {
    this.#byDigest.set(digest, { meta, temporary, next: this.#byDigest.get(digest) });
  }

  /** All of them: by the name to be, with the number of the temporary file. */
  *[Symbol.iterator](): IterableIterator<readonly [name: string, temporary: number]> {
    for (const [digest, first] of this.#byDigest) {
      for (let one: Pending | undefined = first; one !== undefined; one = one.next)
        yield [this.#nameOf(digest, one.meta), one.temporary];
    }
  }

  clear(): void {
    this.#byDigest.clear();
  }
}
