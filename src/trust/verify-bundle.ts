import type { KeyObject } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import { parseCertificate } from './certificate.js';
import type { PresentedCertificate } from './certified-signer.js';
import { encodeStatement, parseBundle, type SigstoreBundle } from './parse-bundle.js';
import { STATEMENT_TYPE } from './statement-claim.js';
import { verifyEntries } from './verify-entries.js';
import type { VerifiedSignature } from './verify-gpg.js';
import { verifySigned, type SigstoreKeys } from './verify-signed.js';

/** Verifies a bundle of sigstore's newer format: the signature of a statement, its certificate, and its entries of a log. */
export function verifyBundle(bytes: Uint8Array, whom: SigstoreKeys): VerifiedSignature {
  let bundle: SigstoreBundle;
  try {
    bundle = parseBundle(bytes);
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
  const { payloadType, payload, signature, certificates, entries } = bundle;
  // Signed bytes of another type are not a statement, whatever they look like.
  if (payloadType !== STATEMENT_TYPE)
    return { good: false, why: `what it signs is no statement (${STATEMENT_TYPE})` };
  return verifySigned(
    {
      ...{ signature, payload, content: encodeStatement(bundle) },
      hashesOf,
      readPresented: () => readCertificates(certificates),
      findLogged: (logged, rules) => verifyEntries(entries, logged, rules),
    },
    whom,
  );
}

/** Each curve has its own hash in the newer format, and signers that come from the older one take SHA-256 for all. */
function hashesOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): readonly (string | null)[] {
  if (asymmetricKeyType === 'ed25519') return [null];
  switch (asymmetricKeyDetails?.namedCurve) {
    case 'secp384r1':
      return ['sha384', 'sha256'];
    case 'secp521r1':
      return ['sha512', 'sha256'];
    default:
      return ['sha256'];
  }
}

function readCertificates(certificates: readonly Buffer[]): PresentedCertificate | undefined {
  const [leaf, ...between] = certificates.map((der) => parseCertificate(der, 'its certificate'));
  return leaf === undefined ? undefined : { leaf, between };
}
