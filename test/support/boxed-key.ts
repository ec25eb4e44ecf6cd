import { randomBytes, scryptSync, type KeyObject } from 'node:crypto';

import { sealSecretbox } from '../../src/trust/secretbox.js';

/** A private key in a file as cosign makes them. */
export function boxKey(
  key: KeyObject,
  passphrase: string,
  {
    N = 4096,
    r = 8,
    p = 1,
  }: { readonly N?: number; readonly r?: number; readonly p?: number } = {},
): string {
  const salt = randomBytes(32);
  const nonce = randomBytes(24);
  const stretched = scryptSync(passphrase, salt, 32, {
    N: Math.min(N, 4096),
    r: Math.min(r, 8),
    p: 1,
  });
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const document = JSON.stringify({
    kdf: { name: 'scrypt', params: { N, r, p }, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: sealSecretbox(plain, stretched, nonce).toString('base64'),
  });
  const lines =
    Buffer.from(document)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  const kind = 'ENCRYPTED SIGSTORE PRIVATE KEY';
  return `-----BEGIN ${kind}-----\n${lines.join('\n')}\n-----END ${kind}-----\n`;
}
