import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { digestAlgorithm, digestOf, type Digest } from '../oci/digest.js';
import type { ImageIdentity, ImageSource } from '../transport/image-source.js';
import { matchesIdentity } from './match-identity.js';
import { normaliseScope } from './parse-policy.js';
import type { SignatureRequirement } from './policy.js';
import { listScopes } from './scopes.js';
import type { UntrustedSignature } from './signature-blob.js';
import { parseClaim } from './signature-claim.js';
import { parseStatement } from './statement-claim.js';
import type { VerifiedSignature } from './verify-gpg.js';

/** How far the clocks of a signer and of this host may differ, in milliseconds: a time beyond it is not one to remember. */
const MAX_CLOCK_SKEW_MS = 300_000;

/** What a signed document is held against. */
export interface ExpectedClaim extends Pick<SignatureRequirement, 'type' | 'signedIdentity'> {
  readonly source: Pick<ImageSource, 'identity'>;
  readonly digest: Digest;
  /** Undefined where they are not there: then the digest has to be by the same algorithm. */
  readonly bytes?: Uint8Array | undefined;
  /** In which form it came. */
  readonly form: UntrustedSignature['kind'];
  /** Whether the digest is enough where the document names no image. */
  readonly unnamed: boolean;
}

/** Who has signed what, or why that is not this image. */
export type JudgedClaim =
  | {
      readonly key: string;
      readonly identity: string;
      readonly madeAtMs?: number;
    }
  | {
      readonly why: string;
      /** All is well with it, but for its name. */
      readonly isUnnamed?: true;
    };

/** Whether a document that was signed by the right key speaks of this image. */
export function judgeClaim(
  verified: Extract<VerifiedSignature, { readonly good: true }>,
  expected: ExpectedClaim,
): JudgedClaim {
  const { type, form, signedIdentity, source } = expected;
  try {
    const { digest, identity, madeAtMs } =
      form === 'bundle' ? parseStatement(verified.document) : parseClaim(verified.document, type);
    if (!hasDigest(expected, digest)) return { why: `it is for ${digest}` };
    // Whoever hands out images could give this one in the place of another that the same key has signed.
    if (identity === undefined && !expected.unnamed)
      return { why: 'it names no image, and the policy asks which was meant', isUnnamed: true };
    if (
      identity !== undefined &&
      !matchesIdentity(signedIdentity, identity, source.identity.reference)
    )
      return { why: `it is for ${quote(identity)}` };
    // Anybody may hand an old signature to a log, once more: it is no newer than its signer says.
    const said = type === 'sigstoreSigned' ? madeAtMs : undefined;
    const atMs =
      verified.madeAtMs === undefined || said === undefined || said <= 0
        ? (verified.madeAtMs ?? madeAtMs)
        : Math.min(verified.madeAtMs, said);
    const isKnown = atMs !== undefined && atMs >= 0 && atMs <= Date.now() + MAX_CLOCK_SKEW_MS;
    return {
      key: verified.key,
      identity: identity ?? digest,
      ...(isKnown ? { madeAtMs: atMs } : {}),
    };
  } catch (error) {
    if (error instanceof OperationalError) return { why: error.message };
    throw error;
  }
}

/** Whether an image lies in one of the scopes whose images may be signed by their digest alone. */
export function takesUnnamed(scopes: readonly string[] = [], identity: ImageIdentity): boolean {
  if (identity.transport !== 'docker') return false;
  const named = new Set(scopes.map((scope) => normaliseScope('docker', scope)));
  return listScopes(identity).some((scope) => named.has(scope));
}

function hasDigest(
  { digest, bytes }: Pick<ExpectedClaim, 'digest' | 'bytes'>,
  signed: Digest,
): boolean {
  if (digest === signed) return true;
  return bytes !== undefined && digestOf(bytes, digestAlgorithm(signed)) === signed;
}
