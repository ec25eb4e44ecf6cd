import { verify, type KeyObject } from 'node:crypto';

import { decodeBase64 } from '../base/decode-base64.js';
import { OperationalError } from '../errors/operational-error.js';
import {
  findSignerFault,
  isCertificate,
  nameSigner,
  readPresented,
  type CertifiedSigner,
} from './certified-signer.js';
import type { LoadedSigner } from './load-signer.js';
import { readPublicKeys, type PublicKey } from './public-keys.js';
import type { VerifiedSignature } from './verify-gpg.js';
import { REKOR_ANNOTATION, verifyRekor, type LoggedSignature } from './verify-rekor.js';

/** Where the signature stands (cosign's SIGNATURE_SPEC). */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

/** Whom to believe. */
export interface SigstoreKeys {
  /** Any of some keys, or somebody with a certificate. */
  readonly signer: LoadedSigner;
  /** Of the transparency log that has to have the signature; undefined where none has to. */
  readonly logKeys: readonly PublicKey[] | undefined;
  readonly nowMs: number;
}

/** A signature of sigstore's kind, as it came. */
interface SigstoreSignature {
  readonly payload: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What is verified by one key or certificate. */
interface Case extends SigstoreSignature {
  readonly bytes: Buffer;
  readonly whom: SigstoreKeys;
}

/**
 * Verifies a signature of sigstore's kind. The hash is always SHA-256, and the padding of RSA PKCS #1 v1.5, as sigstore's tools have
 * it; what a signature says of itself is not asked.
 */
export function verifySigstore(
  signature: SigstoreSignature,
  whom: SigstoreKeys,
): VerifiedSignature {
  const text = signature.annotations[SIGNATURE_ANNOTATION];
  if (text === undefined) return { good: false, why: 'it has no signature in it' };
  const bytes = decodeBase64(text);
  if (bytes === undefined) return { good: false, why: 'its signature is not base64' };
  const { signer } = whom;
  const at = { ...signature, bytes, whom };
  try {
    return signer.kind === 'keys' ? verifyByKeys(signer.keys, at) : verifyByCertificate(signer, at);
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
}

function verifyByKeys(keys: readonly PublicKey[], at: Case): VerifiedSignature {
  for (const { key, fingerprint } of keys) {
    if (!isMadeBy(key, at)) continue;
    const isSigner = (bytes: Buffer): boolean =>
      readPublicKeys([{ bytes, name: 'the key in its entry of the log' }])[0]?.fingerprint ===
      fingerprint;
    const logged = findLogged(isSigner, at);
    if (!logged.good) return logged;
    return { good: true, key: fingerprint, document: at.payload, madeAtMs: logged.atMs };
  }
  return { good: false, why: 'it was not made by a key that the policy names' };
}

/** A certificate counts as of when the log took the signature in, where the policy has a log: it may live for minutes. */
function verifyByCertificate(signer: CertifiedSigner, at: Case): VerifiedSignature {
  const presented = readPresented(at.annotations);
  if (presented === undefined)
    return { good: false, why: 'it has no certificate of who has made it' };
  const { leaf } = presented;
  const logged = findLogged((pem) => isCertificate(pem, leaf), at);
  if (!logged.good) return logged;
  const why = findSignerFault(presented, signer, logged.atMs ?? at.whom.nowMs);
  if (why !== undefined) return { good: false, why };
  if (!isMadeBy(leaf.key, at))
    return { good: false, why: 'it was not made by the key of its certificate' };
  return { good: true, key: nameSigner(signer), document: at.payload, madeAtMs: logged.atMs };
}

/** When the log took it in; undefined where the policy has none. */
function findLogged(
  isSigner: LoggedSignature['isSigner'],
  { payload, bytes, annotations, whom: { logKeys, nowMs } }: Case,
):
  | { readonly good: true; readonly atMs: number | undefined }
  | { readonly good: false; readonly why: string } {
  if (logKeys === undefined) return { good: true, atMs: undefined };
  const bundle = annotations[REKOR_ANNOTATION];
  return verifyRekor({ bundle, signature: bytes, payload, isSigner }, logKeys, nowMs);
}

function isMadeBy(key: KeyObject, { payload, bytes }: Case): boolean {
  return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, bytes);
}
