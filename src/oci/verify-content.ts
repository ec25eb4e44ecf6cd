import { createHash } from 'node:crypto';

import { ContentMismatchError, type ContentPromise } from './content-mismatch-error.js';
import { digestAlgorithm, digestOf, type Digest } from './digest.js';

/**
 * Passes bytes on while it hashes and counts them, and throws in place of the end when they are not what was promised.
 * Reading stops at the first byte too many. Whoever consumes it may act on the bytes at once but makes nothing visible
 * before the iteration has ended by itself.
 *
 * @throws {@link ContentMismatchError} CONTENT_MISMATCH or CONTENT_TRUNCATED
 */
export async function* verifyContent(
  chunks: AsyncIterable<Uint8Array>,
  expected: ContentPromise,
): AsyncGenerator<Uint8Array, void, undefined> {
  const algorithm = digestAlgorithm(expected.digest);
  const hash = createHash(algorithm);
  let bytesRead = 0;
  for await (const chunk of chunks) {
    bytesRead += chunk.length;
    if (bytesRead > expected.size) throw new ContentMismatchError(expected, { bytesRead });
    hash.update(chunk);
    yield chunk;
  }
  if (bytesRead < expected.size) throw new ContentMismatchError(expected, { bytesRead });
  const digest = `${algorithm}:${hash.digest('hex')}` as Digest;
  if (digest !== expected.digest) throw new ContentMismatchError(expected, { digest, bytesRead });
}

/** Reads content whole into memory, verified. The size was checked against a limit by the caller. */
export async function readVerified(
  chunks: AsyncIterable<Uint8Array>,
  expected: ContentPromise,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of verifyContent(chunks, expected)) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

/** As {@link verifyContent}, for content that is in memory; `size` may be unknown. */
export function verifyBytes(
  bytes: Uint8Array,
  expected: { readonly digest: Digest; readonly size?: number | undefined },
): void {
  const promise = { digest: expected.digest, size: expected.size ?? bytes.length };
  if (bytes.length > promise.size)
    throw new ContentMismatchError(promise, { bytesRead: bytes.length });
  const digest = digestOf(bytes, digestAlgorithm(expected.digest));
  if (bytes.length !== promise.size || digest !== expected.digest) {
    throw new ContentMismatchError(promise, { digest, bytesRead: bytes.length });
  }
}
