import { decodeBase64 } from '../base/decode-base64.js';
import { readPresented } from './certified-signer.js';
import type { VerifiedSignature } from './verify-gpg.js';
import { REKOR_ANNOTATION, verifyRekor } from './verify-rekor.js';
import { verifySigned, type SigstoreKeys } from './verify-signed.js';

/** Where the signature stands (cosign's SIGNATURE_SPEC). */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

/** A signature of sigstore's older format, as it came. */
interface SigstoreSignature {
  readonly payload: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Verifies a signature of sigstore's older format. The hash is always SHA-256, and the padding of RSA PKCS #1 v1.5, as sigstore's tools
 * have it.
 */
export function verifySigstore(
  { payload, annotations }: SigstoreSignature,
  whom: SigstoreKeys,
): VerifiedSignature {
  const text = annotations[SIGNATURE_ANNOTATION];
  if (text === undefined) return { good: false, why: 'it has no signature in it' };
  const signature = decodeBase64(text);
  if (signature === undefined) return { good: false, why: 'its signature is not base64' };
  return verifySigned(
    {
      ...{ signature, content: payload, payload },
      hashesOf: ({ asymmetricKeyType }) => [asymmetricKeyType === 'ed25519' ? null : 'sha256'],
      readPresented: () => readPresented(annotations),
      findLogged: (logged, rules) => verifyRekor(annotations[REKOR_ANNOTATION], logged, rules),
    },
    whom,
  );
}
