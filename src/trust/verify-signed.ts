import { verify, type KeyObject } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import {
  findSignerFault,
  isCertificate,
  nameSigner,
  type CertifiedSigner,
  type PresentedCertificate,
} from './certified-signer.js';
import type { LoadedSigner } from './load-signer.js';
import type { LoggedSignature } from './log-entry-body.js';
import { readPublicKeys, type PublicKey } from './public-keys.js';
import type { VerifiedSignature } from './verify-gpg.js';
import type { LoggedAt } from './verify-rekor.js';

/** Whom to believe. */
export interface SigstoreKeys {
  /** Any of some keys, or somebody with a certificate. */
  readonly signer: LoadedSigner;
  /** Of the transparency log that has to have the signature; undefined where none has to. */
  readonly logKeys: readonly PublicKey[] | undefined;
  readonly nowMs: number;
}

/** A signature of sigstore's kind, in whichever form it came. */
export interface SignedContent extends Omit<LoggedSignature, 'isSigner'> {
  /** Which hashes a key may have signed: null where its algorithm has its own. What a signature says of itself is not asked. */
  readonly hashesOf: (key: KeyObject) => readonly (string | null)[];
  /** The certificate that came with it; undefined where none did. May throw an OperationalError. */
  readonly readPresented: () => PresentedCertificate | undefined;
  /** What a log says of it. */
  readonly findLogged: (
    logged: LoggedSignature,
    rules: { readonly logKeys: readonly PublicKey[]; readonly nowMs: number },
  ) => LoggedAt;
}

/** Verifies a signature by one of some keys, or by the certificate that came with it. */
export function verifySigned(signed: SignedContent, whom: SigstoreKeys): VerifiedSignature {
  const { signer } = whom;
  try {
    return signer.kind === 'keys'
      ? verifyByKeys(signer.keys, signed, whom)
      : verifyByCertificate(signer, signed, whom);
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
}

function verifyByKeys(
  keys: readonly PublicKey[],
  signed: SignedContent,
  whom: SigstoreKeys,
): VerifiedSignature {
  for (const { key, fingerprint } of keys) {
    if (!isMadeBy(key, signed)) continue;
    const isSigner = (bytes: Buffer): boolean =>
      readPublicKeys([{ bytes, name: 'the key in its entry of the log' }])[0]?.fingerprint ===
      fingerprint;
    const logged = findLogged(isSigner, signed, whom);
    if (!logged.good) return logged;
    return { good: true, key: fingerprint, document: signed.payload, madeAtMs: logged.atMs };
  }
  return { good: false, why: 'it was not made by a key that the policy names' };
}

/** A certificate counts as of when the log took the signature in, where the policy has a log: it may live for minutes. */
function verifyByCertificate(
  signer: CertifiedSigner,
  signed: SignedContent,
  whom: SigstoreKeys,
): VerifiedSignature {
  const presented = signed.readPresented();
  if (presented === undefined)
    return { good: false, why: 'it has no certificate of who has made it' };
  const { leaf } = presented;
  const logged = findLogged((pem) => isCertificate(pem, leaf), signed, whom);
  if (!logged.good) return logged;
  if (whom.logKeys !== undefined && logged.atMs === undefined)
    return {
      good: false,
      why: 'the log does not say when it took it in, as newer ones do not (rekor 2), and berth reads no times of RFC 3161: whether its certificate was in force then is not known',
    };
  const why = findSignerFault(presented, signer, logged.atMs ?? whom.nowMs);
  if (why !== undefined) return { good: false, why };
  if (!isMadeBy(leaf.key, signed))
    return { good: false, why: 'it was not made by the key of its certificate' };
  return {
    good: true,
    key: nameSigner(signer),
    document: signed.payload,
    madeAtMs: logged.atMs,
  };
}

/** When the log took it in; undefined where the policy has none. */
function findLogged(
  isSigner: LoggedSignature['isSigner'],
  signed: SignedContent,
  { logKeys, nowMs }: SigstoreKeys,
): LoggedAt {
  if (logKeys === undefined) return { good: true, atMs: undefined };
  const { signature, content, payload } = signed;
  return signed.findLogged({ signature, content, payload, isSigner }, { logKeys, nowMs });
}

function isMadeBy(key: KeyObject, { content, signature, hashesOf }: SignedContent): boolean {
  return hashesOf(key).some((hash) => verify(hash, content, key, signature));
}
