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

  /** How much an earlier pull had left; grows while that is read. */
  get resumedBytes(): number {
    return this.#resumedBytes;
  }

  /** Forgets what is kept of it for a later pull. */
  async forget(): Promise<void> {
    await this.#partial?.clear();
  }

  /** The bytes, from the first one on, in pieces of which each is good until the next one is asked for. `onResume` is called when the source is asked for the rest of them. */
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
    if (partial !== undefined) {
      for await (const piece of partial.read()) {
        this.#resumedBytes += piece.length;
        yield piece;
      }
      if (this.#resumedBytes > 0) onResume(this.#resumedBytes);
      if (this.#resumedBytes === size) return;
    }
    const offset = this.#resumedBytes;
    await using blob = await this.#source.openBlob(this.#descriptor, {
      signal,
      offset,
      lend: true,
    });
    for await (const piece of blob) {
      const keeping = partial?.append(piece);
      try {
        yield piece;
      } finally {
        await keeping;
      }
    }
  }
}
