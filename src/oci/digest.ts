import { createHash } from 'node:crypto';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

declare const digestBrand: unique symbol;

/** `ALGORITHM:HEX` of content, checked: made by {@link parseDigest} or {@link digestOf} only (image-spec descriptor.md, "Digests"). */
export type Digest = string & { readonly [digestBrand]: true };

/** The algorithms that berth verifies: the registered ones of image-spec that Node has. */
export const DIGEST_ALGORITHMS = ['sha256', 'sha512'] as const;

/** One of {@link DIGEST_ALGORITHMS}. */
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Length of the hexadecimal part, which is also what keeps a digest from being a path. */
const HEX_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

/**
 * Parses a digest. Lower-case hexadecimal of the exact length only, as the specification has it.
 *
 * @throws {@link OperationalError} DIGEST_INVALID
 */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(':');
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === text.slice(0, colon));
  if (algorithm === undefined) {
    throw new OperationalError('DIGEST_INVALID', `${quote(text)} is not a sha256 or sha512 digest`);
  }
  const hex = text.slice(colon + 1);
  if (hex.length !== HEX_LENGTH[algorithm] || !/^[0-9a-f]+$/.test(hex)) {
    throw new OperationalError(
      'DIGEST_INVALID',
      `${quote(text)} is not a digest: expected ${HEX_LENGTH[algorithm]} lower-case hexadecimal digits after '${algorithm}:'`,
    );
  }
  return text as Digest;
}

/** The digest of content that is already in memory. */
export function digestOf(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as Digest;
}

/** The algorithm of a digest. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** The hexadecimal part of a digest: safe as a file name. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}
