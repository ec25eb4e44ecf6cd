import type { Descriptor } from '../oci/descriptor.js';
import { openBlobStream } from '../transport/blob-stream.js';
import type { BlobStream, ImageSource } from '../transport/image-source.js';
import type { PartialBlob } from './partial-blob.js';

/** What is fetched: from the image's own manifest, from what an earlier pull left, from the source. */
export class Download {
  readonly #source: ImageSource;
  readonly #descriptor: Descriptor;
  readonly #partial: PartialBlob | undefined;
  #resumedBytes = 0;

  constructor(
    source: ImageSource,
    blob: { readonly descriptor: Descriptor; readonly partial: PartialBlob | undefined },
  ) {
    this.#source = source;
    this.#descriptor = blob.descriptor;
    this.#partial = blob.partial;
  }

  /** How much earlier pulls had left. */
  get resumedBytes(): number {
    return this.#resumedBytes;
  }

  /** Forgets what is kept of it for a later pull. */
  async forget(): Promise<void> {
    await this.#partial?.clear();
  }

  /**
   * The bytes, from the first one on, in pieces of which each is good until the next one is asked for. `onResume` is called where
   * earlier pulls left something, when the source is asked for what is missing.
   */
  open(signal: AbortSignal, onResume: (bytes: number) => void): BlobStream {
    return openBlobStream(signal, (stop) => this.#flow(stop, onResume));
  }

  async *#flow(
    signal: AbortSignal,
    onResume: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const partial = this.#partial;
    const { data, size } = this.#descriptor;
    if (data !== undefined) {
      yield data;
      return;
    }
    if (partial === undefined) {
      yield* this.#ask(signal, { offset: 0, end: undefined });
      return;
    }
    this.#resumedBytes = partial.keptBytes;
    let hasAsked = false;
    for (let offset = 0; ;) {
      for await (const piece of partial.read(offset)) {
        offset += piece.length;
        yield piece;
      }
      if (offset === size) return;
      if (!hasAsked && partial.keptBytes > 0) onResume(partial.keptBytes);
      hasAsked = true;
      const end = partial.nextAfter(offset);
      for await (const piece of this.#ask(signal, { offset, end })) {
        const keeping = partial.append(piece, offset);
        offset += piece.length;
        try {
          yield piece;
        } finally {
          await keeping;
        }
      }
      // All that the source has; the consumer knows whether that is enough.
      if (end === undefined || offset < end) return;
    }
  }

  /** What the source has from `offset` on, up to `end`, where the connection is broken off. */
  async *#ask(
    signal: AbortSignal,
    { offset, end = Infinity }: { readonly offset: number; readonly end: number | undefined },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const how = { signal, offset, lend: true };
    await using blob = await this.#source.openBlob(this.#descriptor, how);
    let missing = end - offset;
    for await (const piece of blob) {
      const wanted = piece.length > missing ? piece.subarray(0, missing) : piece;
      missing -= wanted.length;
      yield wanted;
      if (missing === 0) return;
    }
  }
}
