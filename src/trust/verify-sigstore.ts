import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { KeyText } from './load-keys.js';
import type { VerifiedSignature } from './verify-gpg.js';

/** Where the signature stands (cosign's SIGNATURE_SPEC). */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

/** Shortest RSA modulus in bits that counts as a key. */
const MIN_RSA_BITS = 2048;

/** Elliptic curves that are taken: NIST's, which sigstore's tools make keys of. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/** A public key, and how it is called: the SHA-256 of its SubjectPublicKeyInfo. */
interface PublicKey {
  readonly key: KeyObject;
  readonly fingerprint: string;
}

/**
 * Reads public keys in PEM.
 *
 * @throws OperationalError SIGNATURE_KEY_INVALID
 */
export function readPublicKeys(keys: readonly KeyText[]): readonly PublicKey[] {
  return keys.map(({ bytes, name }) => {
    const fail = (why: string): never => {
      throw new OperationalError('SIGNATURE_KEY_INVALID', `${name} cannot be used: ${why}`);
    };
    const blocks = [...bytes.toString('latin1').matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)];
    if (blocks.length !== 1 || !/^(?:RSA )?PUBLIC KEY$/.test(blocks[0]?.[1] ?? ''))
      fail('it is not one public key in PEM');
    let key: KeyObject;
    try {
      key = createPublicKey(bytes);
    } catch {
      return fail('it is damaged, or of a kind that is unknown');
    }
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
    const isGood =
      type === 'ed25519' ||
      (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) ||
      (type === 'ec' && CURVES.includes(details?.namedCurve ?? ''));
    if (!isGood) fail(`berth takes ECDSA, Ed25519, and RSA from ${MIN_RSA_BITS} bits on`);
    const der = key.export({ type: 'spki', format: 'der' });
    return { key, fingerprint: `sha256:${createHash('sha256').update(der).digest('hex')}` };
  });
}

/**
 * Verifies a signature of sigstore's kind by public keys alone. The hash is always SHA-256, and the padding of RSA PKCS #1 v1.5, as
 * sigstore's tools have it; what a signature says of itself is not asked.
 */
export function verifySigstore(
  signature: { readonly payload: Buffer; readonly annotations: Readonly<Record<string, string>> },
  keys: readonly PublicKey[],
): VerifiedSignature {
  const text = signature.annotations[SIGNATURE_ANNOTATION];
  if (text === undefined) return { good: false, why: 'it has no signature in it' };
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== text)
    return { good: false, why: 'its signature is not base64' };
  for (const { key, fingerprint } of keys) {
    const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    if (verify(algorithm, signature.payload, key, bytes))
      return { good: true, key: fingerprint, document: signature.payload };
  }
  return { good: false, why: 'it was not made by a key that the policy names' };
}
