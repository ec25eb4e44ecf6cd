import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { KeyText } from './load-keys.js';

/** Shortest RSA modulus in bits that counts as a key. */
const MIN_RSA_BITS = 2048;

/** Elliptic curves that are taken: NIST's, which sigstore's tools make keys of. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/** A public key, and how it is called: `sha256:` and the SHA-256 of its SubjectPublicKeyInfo. */
export interface PublicKey {
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
    const blocks = [...bytes.toString('latin1').matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)];
    if (blocks.length !== 1 || !/^(?:RSA )?PUBLIC KEY$/.test(blocks[0]?.[1] ?? ''))
      fail(name, 'it is not one public key in PEM');
    let key: KeyObject;
    try {
      key = createPublicKey(bytes);
    } catch {
      return fail(name, 'it is damaged, or of a kind that is unknown');
    }
    const fault = findKeyFault(key);
    if (fault !== undefined) fail(name, fault);
    return { key, fingerprint: fingerprintOf(key) };
  });
}

/** Why a key is none that counts; undefined if it does. */
export function findKeyFault({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string | undefined {
  const isGood =
    type === 'ed25519' ||
    (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) ||
    (type === 'ec' && CURVES.includes(details?.namedCurve ?? ''));
  return isGood ? undefined : `berth takes ECDSA, Ed25519, and RSA from ${MIN_RSA_BITS} bits on`;
}

/** The keys of a transparency log: ECDSA, or Ed25519, which newer ones have. */
export function readLogKeys(keys: readonly KeyText[]): readonly PublicKey[] {
  return readPublicKeys(keys).map((found, index) => {
    if (!['ec', 'ed25519'].includes(found.key.asymmetricKeyType ?? ''))
      fail(keys[index]?.name ?? '', 'the key of a log is one of ECDSA or Ed25519');
    return found;
  });
}

/** How a public key is called. */
export function fingerprintOf(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(der).digest('hex')}`;
}

function fail(name: string, why: string): never {
  throw new OperationalError('SIGNATURE_KEY_INVALID', `${name} cannot be used: ${why}`);
}
