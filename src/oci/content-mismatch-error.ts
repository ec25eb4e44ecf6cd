import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from './digest.js';

/** What a descriptor promises of content. */
export interface ContentPromise {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

/** Content that is not what its descriptor promises. */
export class ContentMismatchError extends OperationalError {
  override readonly name = 'ContentMismatchError';
  readonly expected: ContentPromise;
  /** Undefined where reading stopped at the promised size: the rest was not worth hashing. */
  readonly actualDigest: Digest | undefined;
  readonly bytesRead: number;

  constructor(
    expected: ContentPromise,
    actual: { readonly digest?: Digest; readonly bytesRead: number },
  ) {
    const { digest, bytesRead } = actual;
    const short = bytesRead < expected.size;
    super(
      short ? 'CONTENT_TRUNCATED' : 'CONTENT_MISMATCH',
      short
        ? `content of ${expected.digest} ended early: expected ${expected.size} bytes, got ${bytesRead}`
        : digest === undefined
          ? `content of ${expected.digest} is longer than the ${expected.size} bytes that were promised`
          : `digest mismatch: expected ${expected.digest}, got ${digest} (${bytesRead} bytes)`,
    );
    this.expected = expected;
    this.actualDigest = digest;
    this.bytesRead = bytesRead;
  }
}
