import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';

import { DER, DerReader } from './der.js';
import { findKeyFault } from './public-keys.js';

/** What a certificate says, as far as it decides whom it is of, and whom it may certify. */
export interface Certificate {
  readonly der: Buffer;
  readonly fingerprint: string;
  /** Names in DER, which are compared as they stand. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** In milliseconds since the epoch, both included. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly key: KeyObject;
  /** Whether it may certify others at all, and through how many. */
  readonly isAuthority: boolean;
  readonly maxPathLength: number | undefined;
  /** The first byte of its bits; undefined where it does not say what its key is for. */
  readonly keyUsage: number | undefined;
  /** Object identifiers; undefined where it may be used for anything. */
  readonly purposes: readonly string[] | undefined;
  readonly emails: readonly string[];
  readonly hosts: readonly string[];
  /** By object identifier. */
  readonly extensions: ReadonlyMap<string, Buffer>;
  /** Why nobody may go by it who knows no more of certificates than berth; undefined if one may. */
  readonly foreign: string | undefined;
  /** What was signed, how, and the signature. */
  readonly signed: {
    readonly content: Buffer;
    readonly algorithm: string;
    readonly signature: Buffer;
  };
}

/** Bits of the first byte of a key usage (RFC 5280, section 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0x80, certificateSign: 0x04 } as const;

const EXTENSION = {
  keyUsage: '2.5.29.15',
  alternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  purposes: '2.5.29.37',
} as const;

/** Beside those that are read: key identifiers, places of lists, and policies, which forbid nothing. */
const HARMLESS = ['2.5.29.14', '2.5.29.31', '2.5.29.32', '2.5.29.35'];

/** How certificates may be signed: the hash, null where the algorithm has its own, and the kind of key. SHA-1 and MD5 do not count. */
const ALGORITHMS: ReadonlyMap<string, readonly [string | null, string]> = new Map([
  ['1.2.840.10045.4.3.2', ['sha256', 'ec']],
  ['1.2.840.10045.4.3.3', ['sha384', 'ec']],
  ['1.2.840.10045.4.3.4', ['sha512', 'ec']],
  ['1.2.840.113549.1.1.11', ['sha256', 'rsa']],
  ['1.2.840.113549.1.1.12', ['sha384', 'rsa']],
  ['1.2.840.113549.1.1.13', ['sha512', 'rsa']],
  ['1.3.101.112', [null, 'ed25519']],
]);

/** Tags of what is optional in a certificate, and of names in it (RFC 5280, sections 4.1 and 4.2.1.6). */
const VERSION = 0xa0;
const UNIQUE_IDS = [0x81, 0x82];
const EXTENSIONS = 0xa3;
const EMAIL = 0x81;
const HOST = 0x82;

/** Most extensions, and names, of a certificate. */
const MAX_ITEMS = 100;

/**
 * Parses a certificate of X.509, version 3 (RFC 5280). Nothing in it is verified.
 *
 * @param what What it is, for messages
 * @throws OperationalError SIGNATURE_INVALID
 */
export function parseCertificate(der: Buffer, what: string): Certificate {
  const document = new DerReader(der, what);
  const certificate = document.inside(DER.sequence);
  document.end();
  const { raw: content, content: body } = certificate.value(DER.sequence);
  const outer = certificate.value(DER.sequence);
  const signature = certificate.bits();
  certificate.end();

  const reader = new DerReader(body, what);
  const version = reader.inside(VERSION).value(DER.integer).content;
  if (!version.equals(Buffer.from([2]))) reader.fail('is not of version 3');
  reader.value(DER.integer);
  // What says how it was signed stands there twice, once where the signature covers it.
  if (!reader.value(DER.sequence).raw.equals(outer.raw)) reader.fail('is signed in two ways');
  const issuer = reader.value(DER.sequence).raw;
  const validity = reader.inside(DER.sequence);
  const [notBeforeMs, notAfterMs] = [validity.time(), validity.time()];
  validity.end();
  const subject = reader.value(DER.sequence).raw;
  const key = readKey(reader.value(DER.sequence).raw, reader);
  for (const tag of UNIQUE_IDS) reader.optional(tag);
  const { extensions, critical } = readExtensions(reader, what);
  reader.end();

  const inside = (oid: string): DerReader | undefined => {
    const value = extensions.get(oid);
    return value === undefined ? undefined : new DerReader(value, what);
  };
  return {
    der,
    fingerprint: `sha256:${createHash('sha256').update(der).digest('hex')}`,
    ...{ issuer, subject, notBeforeMs, notAfterMs, key, extensions },
    ...readConstraints(inside(EXTENSION.basicConstraints)),
    keyUsage: readKeyUsage(inside(EXTENSION.keyUsage)),
    purposes: readPurposes(inside(EXTENSION.purposes)),
    ...readNames(inside(EXTENSION.alternativeName)),
    foreign: findForeign(extensions, critical),
    signed: { content, algorithm: new DerReader(outer.content, what).oid(), signature },
  };
}

/** Whether the key of another one has signed a certificate. */
export function isSignedBy({ signed }: Certificate, { key }: Certificate): boolean {
  const [hash, kind] = ALGORITHMS.get(signed.algorithm) ?? [];
  if (hash === undefined || key.asymmetricKeyType !== kind) return false;
  return verify(hash, signed.content, key, signed.signature);
}

function readKey(spki: Buffer, reader: DerReader): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    return reader.fail('has a key that is damaged, or of a kind that is unknown');
  }
  const fault = findKeyFault(key);
  return fault === undefined ? key : reader.fail(`has a key of another kind: ${fault}`);
}

function readExtensions(
  reader: DerReader,
  what: string,
): { readonly extensions: ReadonlyMap<string, Buffer>; readonly critical: readonly string[] } {
  const extensions = new Map<string, Buffer>();
  const critical: string[] = [];
  const there = reader.optional(EXTENSIONS);
  if (there === undefined) return { extensions, critical };
  const outer = new DerReader(there.content, what);
  const all = outer.inside(DER.sequence);
  outer.end();
  while (!all.isAtEnd) {
    const extension = all.inside(DER.sequence);
    const oid = extension.oid();
    if (extension.flag()) critical.push(oid);
    const { content } = extension.value(DER.octets);
    extension.end();
    if (extensions.has(oid)) all.fail(`has ${oid} twice`);
    if (extensions.size === MAX_ITEMS) all.fail(`has more than ${MAX_ITEMS} extensions`);
    extensions.set(oid, content);
  }
  return { extensions, critical };
}

function readConstraints(
  extension: DerReader | undefined,
): Pick<Certificate, 'isAuthority' | 'maxPathLength'> {
  if (extension === undefined) return { isAuthority: false, maxPathLength: undefined };
  const constraints = extension.inside(DER.sequence);
  extension.end();
  const isAuthority = constraints.flag();
  const length = constraints.optional(DER.integer)?.content;
  constraints.end();
  // Nobody has a way of more than a hundred authorities.
  if (length !== undefined && (length.length !== 1 || (length[0] ?? 0) > 0x7f))
    constraints.fail('has a length of paths that is none');
  return { isAuthority, maxPathLength: length?.[0] };
}

function readKeyUsage(extension: DerReader | undefined): number | undefined {
  if (extension === undefined) return undefined;
  const [unused = 0, first] = extension.value(DER.bits).content;
  extension.end();
  if (first === undefined || unused > 7) extension.fail('does not say what its key is for');
  return first;
}

function readPurposes(extension: DerReader | undefined): readonly string[] | undefined {
  if (extension === undefined) return undefined;
  const all = extension.inside(DER.sequence);
  extension.end();
  const purposes: string[] = [];
  while (!all.isAtEnd) {
    purposes.push(all.oid());
    if (purposes.length > MAX_ITEMS) all.fail(`has more than ${MAX_ITEMS} purposes`);
  }
  return purposes;
}

function readNames(extension: DerReader | undefined): Pick<Certificate, 'emails' | 'hosts'> {
  const found: readonly (readonly [number, string])[] =
    extension === undefined ? [] : listNames(extension);
  const of = (wanted: number): readonly string[] =>
    found.flatMap(([tag, text]) => (tag === wanted ? [text] : []));
  return { emails: of(EMAIL), hosts: of(HOST) };
}

function listNames(extension: DerReader): readonly (readonly [number, string])[] {
  const all = extension.inside(DER.sequence);
  extension.end();
  const found: (readonly [number, string])[] = [];
  while (!all.isAtEnd) {
    const { tag, content } = all.any();
    if (found.length === MAX_ITEMS) all.fail(`has more than ${MAX_ITEMS} names`);
    const text = content.toString('latin1');
    // Others, addresses and numbers among them, are nobody's that a policy could mean.
    if ((tag === EMAIL || tag === HOST) && !/^[\x21-\x7e]+$/.test(text))
      all.fail('has a name with characters that no name has');
    found.push([tag, text]);
  }
  return found;
}

function findForeign(
  extensions: ReadonlyMap<string, Buffer>,
  critical: readonly string[],
): string | undefined {
  // An authority for some names alone: which these are is not read.
  if (extensions.has(EXTENSION.nameConstraints)) return 'is limited to some names';
  const known: readonly string[] = [...Object.values(EXTENSION), ...HARMLESS];
  const unknown = critical.find((oid) => !known.includes(oid));
  return unknown === undefined ? undefined : `has ${unknown}, which is critical and unknown`;
}
