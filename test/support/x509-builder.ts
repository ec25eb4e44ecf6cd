import { sign } from 'node:crypto';

import { makeSigstoreKey, type SigstoreKey } from './sigstore-attachments.js';

/* Certificates of X.509 from their parts, right ones and wrong ones: openssl makes right ones alone. */

/** A value of DER. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);

/** An object identifier. */
export function oid(dots: string): Buffer {
  const [first = 0, second = 0, ...rest] = dots.split('.').map(Number);
  const bytes = [40 * first + second, ...rest].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Buffer.from(bytes));
}

/** An extension; critical where that is said. */
export function extension(id: string, value: Uint8Array, critical = false): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, der(0x04, value));
}

/** What a certificate is made of. */
export interface CertificateParts {
  readonly subject?: string;
  /** Who signs; the certificate itself unless given. */
  readonly issuer?: MadeCertificate | undefined;
  readonly key?: SigstoreKey;
  /** In milliseconds since the epoch. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** An authority: true, or through how many. */
  readonly authority?: boolean | number;
  readonly usage?: number;
  readonly purposes?: readonly string[];
  readonly emails?: readonly string[];
  readonly hosts?: readonly string[];
  readonly more?: readonly Uint8Array[];
  readonly hash?: 'sha1' | 'sha256';
  /** Changes the whole before it becomes PEM. */
  readonly change?: (certificate: Buffer) => Buffer;
}

/** A certificate and its key. */
export interface MadeCertificate {
  readonly pem: string;
  readonly key: SigstoreKey;
  readonly subject: string;
}

/** The purpose of signing software, and others. */
export const PURPOSE = { code: '1.3.6.1.5.5.7.3.3', server: '1.3.6.1.5.5.7.3.1' } as const;

/** Makes a certificate that is signed with ECDSA. */
export function makeCertificate(parts: CertificateParts): MadeCertificate {
  const { subject = 'somebody', key = makeSigstoreKey(), issuer, hash = 'sha256' } = parts;
  const signer = issuer?.key ?? key;
  const algorithm = sequence(oid(hash === 'sha256' ? '1.2.840.10045.4.3.2' : '1.2.840.10045.4.1'));
  const name = (text: string): Buffer =>
    sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))));
  const time = (ms: number): Buffer =>
    der(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')));
  const spki = Buffer.from(key.publicKey.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    name(issuer?.subject ?? subject),
    sequence(
      time(parts.fromMs ?? Date.now() - 86_400_000),
      time(parts.toMs ?? Date.now() + 86_400_000),
    ),
    name(subject),
    spki,
    der(0xa3, sequence(...extensionsOf(parts))),
  );
  const signature = sign(hash, body, signer.privateKey);
  const whole = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  return { pem: toPem(parts.change?.(whole) ?? whole), key, subject };
}

/** A block of PEM. */
export function toPem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function extensionsOf(parts: CertificateParts): readonly Uint8Array[] {
  const { authority, usage, purposes, emails = [], hosts = [], more = [] } = parts;
  const found: Uint8Array[] = [];
  if (authority !== undefined && authority !== false) {
    const length = authority === true ? [] : [der(0x02, Buffer.from([authority]))];
    const value = sequence(der(0x01, Buffer.from([0xff])), ...length);
    found.push(extension('2.5.29.19', value, true));
  }
  if (usage !== undefined)
    found.push(extension('2.5.29.15', der(0x03, Buffer.from([0, usage])), true));
  if (purposes !== undefined) found.push(extension('2.5.29.37', sequence(...purposes.map(oid))));
  const names = [
    ...emails.map((text) => der(0x81, Buffer.from(text, 'latin1'))),
    ...hosts.map((text) => der(0x82, Buffer.from(text, 'latin1'))),
  ];
  if (names.length > 0) found.push(extension('2.5.29.17', sequence(...names), true));
  return [...found, ...more];
}
