import { verify } from 'node:crypto';

import { decodeBase64 } from '../base/decode-base64.js';
import type { PublicKey } from './public-keys.js';
import type { VerifiedSignature } from './verify-gpg.js';
import { REKOR_ANNOTATION, verifyRekor } from './verify-rekor.js';

/** Where the signature stands (cosign's SIGNATURE_SPEC). */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

/** Whom to believe. */
export interface SigstoreKeys {
  /** Any of them may have signed. */
  readonly keys: readonly PublicKey[];
  /** Of the transparency log that has to have the signature; undefined where none has to. */
  readonly logKeys: readonly PublicKey[] | undefined;
  readonly nowMs: number;
}

/**
 * Verifies a signature of sigstore's kind by public keys. The hash is always SHA-256, and the padding of RSA PKCS #1 v1.5, as
 * sigstore's tools have it; what a signature says of itself is not asked.
 */
export function verifySigstore(
  signature: { readonly payload: Buffer; readonly annotations: Readonly<Record<string, string>> },
  { keys, logKeys, nowMs }: SigstoreKeys,
): VerifiedSignature {
  const { payload, annotations } = signature;
  const text = annotations[SIGNATURE_ANNOTATION];
  if (text === undefined) return { good: false, why: 'it has no signature in it' };
  const bytes = decodeBase64(text);
  if (bytes === undefined) return { good: false, why: 'its signature is not base64' };
  for (const { key, fingerprint } of keys) {
    const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    if (!verify(algorithm, payload, key, bytes)) continue;
    const good = { good: true, key: fingerprint, document: payload } as const;
    if (logKeys === undefined) return { ...good, madeAtMs: undefined };
    const bundle = annotations[REKOR_ANNOTATION];
    const logged = verifyRekor({ bundle, signature: bytes, payload, fingerprint }, logKeys, nowMs);
    return logged.good ? { ...good, madeAtMs: logged.atMs } : logged;
  }
  return { good: false, why: 'it was not made by a key that the policy names' };
}
