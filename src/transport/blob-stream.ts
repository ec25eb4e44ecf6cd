import type { BlobStream } from './image-source.js';

/**
 * Makes a {@link BlobStream} of a generator of bytes. Disposing of it stops the generator where it stands, waiting for the
 * network or not.
 */
export function openBlobStream(
  signal: AbortSignal,
  produce: (signal: AbortSignal) => AsyncGenerator<Uint8Array, void, undefined>,
): BlobStream {
  const stop = new AbortController();
  const chunks = produce(AbortSignal.any([signal, stop.signal]));
  return {
    [Symbol.asyncIterator]: () => chunks,
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await chunks.return().catch(() => undefined); // the abort that was just asked for
    },
  };
}
