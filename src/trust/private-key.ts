import { createPrivateKey, createPublicKey, scryptSync, type KeyObject } from 'node:crypto';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { fingerprintOf, readPublicKeys } from './public-keys.js';
import { openSecretbox, SECRETBOX_KEY_BYTES, SECRETBOX_NONCE_BYTES } from './secretbox.js';
import { StrictFields } from './strict-fields.js';

/** What cosign has called its own kind of file, before and after. */
const BOXED = ['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY'];
const ENCRYPTED = [...BOXED, 'ENCRYPTED PRIVATE KEY'];
const PLAIN = ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY'];

/** Most memory that a file may have a passphrase stretched with, in bytes: cosign asks for 64 MiB. */
const MAX_SCRYPT_BYTES = 512 * 1024 * 1024;
const MAX_SCRYPT_PARALLEL = 16;

/** Whether a file with a private key is of use with a passphrase only. */
export function isEncryptedKey(bytes: Buffer): boolean {
  const kind = kindOf(bytes);
  return kind !== undefined && ENCRYPTED.includes(kind);
}

/**
 * Reads a private key for signatures of sigstore's kind: as cosign and podman make them, or as openssl does (PKCS #8, with a passphrase or
 * without).
 *
 * @param named The file, for messages
 * @throws OperationalError SIGNATURE_KEY_INVALID
 */
export function readPrivateKey(
  bytes: Buffer,
  { named, passphrase }: { readonly named: string; readonly passphrase: string | undefined },
): { readonly key: KeyObject; readonly fingerprint: string } {
  const kind = kindOf(bytes);
  if (kind === undefined) throw unfit(named, 'it is not one private key in PEM');
  if (ENCRYPTED.includes(kind) && passphrase === undefined)
    throw unfit(named, 'it takes a passphrase');
  const key = BOXED.includes(kind)
    ? openBoxed(bytes, { named, passphrase: passphrase ?? '' })
    : openPlain(bytes, { named, passphrase });
  const publicKey = createPublicKey(key);
  // What nobody would verify is not signed with.
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  readPublicKeys([{ bytes: Buffer.from(pem), name: quote(named) }]);
  return { key, fingerprint: fingerprintOf(publicKey) };
}

function kindOf(bytes: Buffer): string | undefined {
  const kinds = [...bytes.toString('latin1').matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----\r?$/gm)];
  const kind = kinds.length === 1 ? kinds[0]?.[1] : undefined;
  return kind !== undefined && [...ENCRYPTED, ...PLAIN].includes(kind) ? kind : undefined;
}

function openPlain(
  bytes: Buffer,
  { named, passphrase }: { readonly named: string; readonly passphrase: string | undefined },
): KeyObject {
  try {
    return createPrivateKey({ key: bytes, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    throw unfit(named, 'it is damaged, or the passphrase is another', cause);
  }
}

/** A JSON document in PEM: how the passphrase becomes a key, and a box that it opens (go-tuf's encrypted package). */
function openBoxed(
  bytes: Buffer,
  { named, passphrase }: { readonly named: string; readonly passphrase: string },
): KeyObject {
  const body = /-----BEGIN [^-]+-----([^-]*)-----END/.exec(bytes.toString('latin1'))?.[1] ?? '';
  const what = `the key ${quote(named)}`;
  const top = StrictFields.parse(Buffer.from(body.replace(/\s/g, ''), 'base64'), {
    what,
    code: 'SIGNATURE_KEY_INVALID',
  });
  const kdf = top.object('kdf');
  if (kdf.text('name') !== 'scrypt') kdf.fail('name', 'is not scrypt');
  const cipher = top.object('cipher');
  if (cipher.text('name') !== 'nacl/secretbox') cipher.fail('name', 'is not nacl/secretbox');
  const nonce = Buffer.from(cipher.text('nonce'), 'base64');
  if (nonce.length !== SECRETBOX_NONCE_BYTES) cipher.fail('nonce', 'is of another length');
  const opened = openSecretbox(
    Buffer.from(top.text('ciphertext'), 'base64'),
    stretch(passphrase, kdf),
    nonce,
  );
  if (opened === undefined) throw unfit(named, 'the passphrase is another');
  try {
    return createPrivateKey({ key: opened, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw unfit(named, 'it is damaged', cause);
  }
}

function stretch(passphrase: string, kdf: StrictFields): Buffer {
  const params = kdf.object('params');
  const [N, r, p] = ['N', 'r', 'p'].map((name) => {
    const value: unknown = params.value(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
      return params.fail(name, 'is not a whole number');
    return value;
  }) as [number, number, number];
  if (p > MAX_SCRYPT_PARALLEL || 128 * N * r > MAX_SCRYPT_BYTES)
    params.fail('', `takes more than ${MAX_SCRYPT_BYTES} bytes of memory, refusing to go on`);
  if (N < 2 || !Number.isInteger(Math.log2(N))) params.fail('N', 'is not a power of two');
  const salt = Buffer.from(kdf.text('salt'), 'base64');
  const maxmem = MAX_SCRYPT_BYTES + 64 * 1024 * 1024;
  return scryptSync(passphrase, salt, SECRETBOX_KEY_BYTES, { N, r, p, maxmem });
}

function unfit(named: string, why: string, cause?: unknown): OperationalError {
  return new OperationalError(
    'SIGNATURE_KEY_INVALID',
    `the key ${quote(named)} cannot be used: ${why}`,
    { cause },
  );
}
