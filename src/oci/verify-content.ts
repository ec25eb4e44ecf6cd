import { createHash } from 'node:crypto';

import { ContentMismatchError, type ContentPromise } from './content-mismatch-error.js';
import { digestAlgorithm, digestOf, type Digest, type DigestAlgorithm } from './digest.js';

/** A hash of content that comes in pieces. */
export interface ContentHash extends Disposable {
  /**
   * Takes a piece in. What comes back has to be waited for, if it is a promise, before the next piece, and before anything is
   * written to this one.
   */
  update(piece: Uint8Array): Promise<void> | undefined;
  /** In hexadecimal; once only. */
  digest(): string;
}

/** Makes another hash than {@link verifyContent} would, for so many bytes; or undefined where that gains nothing. */
export type CreateContentHash = (
  algorithm: DigestAlgorithm,
  expectedBytes: number,
) => ContentHash | undefined;

/**
 * Passes bytes on while it hashes and counts them, and throws in place of the end when they are not what was promised.
 * Reading stops at the first byte too many. Whoever consumes it may act on the bytes at once but makes nothing visible
 * before the iteration has ended by itself. A piece is good until the next one is asked for, as its source gave it.
 *
 * @throws {@link ContentMismatchError} CONTENT_MISMATCH or CONTENT_TRUNCATED
 */
export async function* verifyContent(
  chunks: AsyncIterable<Uint8Array>,
  expected: ContentPromise,
  createOther?: CreateContentHash,
): AsyncGenerator<Uint8Array, void, undefined> {
  const algorithm = digestAlgorithm(expected.digest);
  using hash = createOther?.(algorithm, expected.size) ?? createHashHere(algorithm);
  let bytesRead = 0;
  for await (const chunk of chunks) {
    bytesRead += chunk.length;
    if (bytesRead > expected.size) throw new ContentMismatchError(expected, { bytesRead });
    const hashing = hash.update(chunk);
    if (hashing === undefined) {
      yield chunk;
      continue;
    }
    hashing.catch(() => undefined); // looked at below; not left unhandled while the consumer has the piece
    try {
      yield chunk;
    } finally {
      await hashing;
    }
  }
  if (bytesRead < expected.size) throw new ContentMismatchError(expected, { bytesRead });
  const digest = `${algorithm}:${hash.digest()}` as Digest;
  if (digest !== expected.digest) throw new ContentMismatchError(expected, { digest, bytesRead });
}

/** A hash that is computed in this thread. */
export function createHashHere(algorithm: DigestAlgorithm): ContentHash {
  const hash = createHash(algorithm);
  return {
    update: (piece) => {
      hash.update(piece);
      return undefined;
    },
    digest: () => hash.digest('hex'),
    [Symbol.dispose]: () => undefined,
  };
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
