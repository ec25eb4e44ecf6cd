import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseDigest, type Digest } from '../oci/digest.js';
import type { SignatureClaim } from './signature-claim.js';
import { StrictFields } from './strict-fields.js';

/** What a statement says by which cosign signs an image, and not something about it. */
export const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** The type of statements in an envelope, and of those that are read (in-toto's attestation framework, version 1). */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_V1 = 'https://in-toto.io/Statement/v1';

/**
 * Parses the statement that a bundle signs. Only after the signature was verified. It has to be of one image alone; what it calls it is
 * the name of its subject, and cosign writes none.
 *
 * @throws OperationalError SIGNATURE_INVALID
 */
export function parseStatement(bytes: Uint8Array): SignatureClaim {
  const what = 'the signed statement';
  const top = StrictFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  const type = top.text('_type');
  if (type !== STATEMENT_V1) top.fail('_type', `is ${quote(type)}, not '${STATEMENT_V1}'`);
  const predicate = top.text('predicateType');
  if (predicate !== SIGN_PREDICATE)
    top.fail('predicateType', `is ${quote(predicate)}, not '${SIGN_PREDICATE}'`);
  top.allowOnly('_type', 'subject', 'predicateType', 'predicate');
  const [subject, ...others] = top.objects('subject');
  if (subject === undefined || others.length > 0) return top.fail('subject', 'has not one item');
  // What the signer notes beside the digest is his business, as what is optional in the older documents.
  subject.allowOnly('name', 'digest', 'annotations');
  const name = subject.has('name') ? subject.text('name') : '';
  return {
    digest: parseSubjectDigest(subject.object('digest')),
    identity: name === '' ? undefined : name,
    madeAtMs: undefined,
  };
}

function parseSubjectDigest(digest: StrictFields): Digest {
  const [algorithm = '', ...others] = digest.keys;
  if (others.length > 0) digest.fail('', 'has more than one digest');
  try {
    return parseDigest(`${algorithm}:${digest.text(algorithm)}`);
  } catch (error) {
    if (error instanceof OperationalError && error.code !== 'SIGNATURE_INVALID')
      digest.fail('', `is wrong: ${error.message}`);
    throw error;
  }
}
