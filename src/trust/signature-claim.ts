import { parseDigest, type Digest } from '../oci/digest.js';
import { OperationalError } from '../errors/operational-error.js';
import { StrictFields } from './strict-fields.js';

/** What a signature says of an image. */
export interface SignatureClaim {
  /** Of the manifest or index. */
  readonly digest: Digest;
  /** What the signer calls the image; compared, never followed. Undefined where he calls it by its digest alone. */
  readonly identity: string | undefined;
  /** When it was made, where the signer says so; milliseconds since the epoch. */
  readonly madeAtMs: number | undefined;
}

/** The two kinds of documents, by what stands in `critical.type`. */
export const CLAIM_TYPES = {
  signedBy: 'atomic container signature',
  sigstoreSigned: 'cosign container image signature',
} as const;

/**
 * Parses the document that a signature signs (containers-signature(5), "JSON data format"; cosign's has the same form). Only after
 * the signature was verified. Everything in `critical` has to be known; what stands in `optional` is the signer's business.
 *
 * @throws OperationalError SIGNATURE_INVALID
 */
export function parseClaim(bytes: Uint8Array, kind: keyof typeof CLAIM_TYPES): SignatureClaim {
  const what = 'the signed document';
  const top = StrictFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  top.allowOnly('critical', 'optional');
  // cosign writes null where there is nothing.
  const isNothing = kind === 'sigstoreSigned' && top.value('optional') === null;
  const seconds = isNothing ? undefined : readOptional(top);
  const critical = top.object('critical');
  critical.allowOnly('type', 'image', 'identity');
  const type = critical.text('type');
  if (type !== CLAIM_TYPES[kind]) critical.fail('type', `is '${type}', not '${CLAIM_TYPES[kind]}'`);
  const image = critical.object('image');
  image.allowOnly('docker-manifest-digest');
  const identity = critical.object('identity');
  identity.allowOnly('docker-reference');
  return {
    digest: parseSignedDigest(image),
    identity: identity.text('docker-reference'),
    madeAtMs: seconds === undefined ? undefined : seconds * 1000,
  };
}

/** Gives the time, in seconds. */
function readOptional(top: StrictFields): number | undefined {
  const optional = top.object('optional');
  if (optional.has('creator')) optional.text('creator');
  if (!optional.has('timestamp')) return undefined;
  const seconds: unknown = optional.value('timestamp');
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds))
    return optional.fail('timestamp', 'is not a whole number');
  return seconds;
}

function parseSignedDigest(image: StrictFields): Digest {
  const text = image.text('docker-manifest-digest');
  try {
    return parseDigest(text);
  } catch (error) {
    if (error instanceof OperationalError)
      image.fail('docker-manifest-digest', `is wrong: ${error.message}`);
    throw error;
  }
}
