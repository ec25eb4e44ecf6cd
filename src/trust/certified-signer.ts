import { decodeBase64 } from '../base/decode-base64.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseCertificate, type Certificate } from './certificate.js';
import { DER, DerReader } from './der.js';
import type { KeyText } from './load-keys.js';
import { findChainFault } from './verify-chain.js';

/** Where a signature has the certificate of who made it, and the authorities up to one that is believed (cosign's SIGNATURE_SPEC). */
export const CERTIFICATE_ANNOTATION = 'dev.sigstore.cosign/certificate';
export const CHAIN_ANNOTATION = 'dev.sigstore.cosign/chain';

/** Largest text of certificates that comes with a signature, and most authorities in it. */
const MAX_TEXT_BYTES = 32 * 1024;
const MAX_CHAIN = 10;

/** Most certificates of a file that a policy names. */
const MAX_AUTHORITIES = 256;

/** Where fulcio notes who has said whose address it is: as it is, and since 2022 as a text of DER (fulcio's docs/oid-info.md). */
const ISSUER = '1.3.6.1.4.1.57264.1.1';
const ISSUER_TEXT = '1.3.6.1.4.1.57264.1.8';

/** Who has to have signed, by a certificate. */
export type CertifiedSigner =
  | {
      readonly kind: 'fulcio';
      readonly roots: readonly Certificate[];
      /** Who has to have said whose address it is. */
      readonly issuer: string;
      readonly email: string;
    }
  | {
      readonly kind: 'pki';
      readonly roots: readonly Certificate[];
      readonly between: readonly Certificate[];
      /** All that are there have to fit. */
      readonly email: string | undefined;
      readonly host: string | undefined;
    };

/** A certificate as it came with a signature, with the authorities beside it: nothing in it is believed. */
export interface PresentedCertificate {
  readonly leaf: Certificate;
  readonly between: readonly Certificate[];
}

/**
 * Reads the certificate that comes with a signature; undefined where none does.
 *
 * @throws OperationalError SIGNATURE_INVALID
 */
export function readPresented(
  annotations: Readonly<Record<string, string>>,
): PresentedCertificate | undefined {
  const text = annotations[CERTIFICATE_ANNOTATION];
  if (text === undefined) return undefined;
  const what = 'its certificate';
  const [leaf, ...others] = readBlocks(text, what);
  if (leaf === undefined || others.length > 0) fail(what, 'is not one certificate in PEM');
  const chain = annotations[CHAIN_ANNOTATION] ?? '';
  // The last one is the root, which counts where the policy has it alone.
  const between = chain === '' ? [] : readBlocks(chain, 'its chain of certificates').slice(0, -1);
  return { leaf, between };
}

/** Whether what stands in an entry of a transparency log in PEM is a certificate, and just this one. */
export function isCertificate(pem: Buffer, { der }: Certificate): boolean {
  const blocks = splitPem(pem.toString('latin1'));
  return blocks?.length === 1 && blocks[0]?.equals(der) === true;
}

/** Why a certificate is not of who has to have signed; undefined if it is. */
export function findSignerFault(
  { leaf, between }: PresentedCertificate,
  signer: CertifiedSigner,
  atMs: number,
): string | undefined {
  const known = signer.kind === 'pki' ? signer.between : [];
  const rules = { roots: signer.roots, between: [...known, ...between], atMs };
  const fault = findChainFault(leaf, rules) ?? findStranger(leaf, signer);
  return fault === undefined ? undefined : `its certificate ${fault}`;
}

/** How somebody is called who signs by a certificate. */
export function nameSigner(signer: CertifiedSigner): string {
  if (signer.kind === 'fulcio') return `${signer.email} by ${signer.issuer}`;
  return [signer.email, signer.host].filter((name) => name !== undefined).join(', ');
}

/**
 * Reads authorities that a policy names.
 *
 * @throws OperationalError SIGNATURE_KEY_INVALID
 */
export function readAuthorities(texts: readonly KeyText[]): readonly Certificate[] {
  return texts.flatMap(({ bytes, name }) => {
    const refuse = (why: string): never => {
      throw new OperationalError('SIGNATURE_KEY_INVALID', `${name} cannot be used: ${why}`);
    };
    const blocks = splitPem(bytes.toString('latin1')) ?? refuse('it is not PEM of certificates');
    if (blocks.length === 0) refuse('it has no certificate in PEM');
    if (blocks.length > MAX_AUTHORITIES) refuse(`it has more than ${MAX_AUTHORITIES} certificates`);
    try {
      return blocks.map((der) => parseCertificate(der, 'a certificate'));
    } catch (error) {
      if (error instanceof OperationalError) refuse(error.message);
      throw error;
    }
  });
}

function findStranger(leaf: Certificate, signer: CertifiedSigner): string | undefined {
  const { email } = signer;
  if (email !== undefined && !leaf.emails.includes(email))
    return `is not of ${quote(email)} but of ${ownersOf(leaf)}`;
  if (signer.kind === 'fulcio') {
    const issuer = readIssuer(leaf);
    return issuer === signer.issuer
      ? undefined
      : `is of one whom ${quote(issuer)} knows, not ${quote(signer.issuer)}`;
  }
  const { host } = signer;
  return host === undefined || leaf.hosts.some((pattern) => matchesHost(pattern, host))
    ? undefined
    : `is not of ${quote(host)} but of ${ownersOf(leaf)}`;
}

function ownersOf({ emails, hosts }: Certificate): string {
  const [first, ...others] = [...emails, ...hosts];
  if (first === undefined) return 'nobody with an address or a host';
  return quote(first) + (others.length === 0 ? '' : ` and ${others.length} more`);
}

/** Where both notes are there, they have to say the same. */
function readIssuer({ extensions }: Certificate): string {
  const plain = extensions.get(ISSUER)?.toString('utf8');
  const coded = extensions.get(ISSUER_TEXT);
  const what = 'its certificate';
  let text: string | undefined;
  if (coded !== undefined) {
    const reader = new DerReader(coded, what);
    text = reader.value(DER.utf8).content.toString('utf8');
    reader.end();
  }
  const issuer = text ?? plain;
  if (issuer === undefined) return fail(what, 'does not say who knows whose it is');
  if (plain !== undefined && plain !== issuer) fail(what, 'names two who know whose it is');
  return issuer;
}

/** RFC 6125, section 6.4: in any capitals, and `*` for the first label alone. */
function matchesHost(pattern: string, host: string): boolean {
  const [wanted, name] = [pattern.toLowerCase(), host.toLowerCase()];
  if (wanted === name) return true;
  const dot = name.indexOf('.');
  return wanted.startsWith('*.') && dot > 0 && wanted.slice(1) === name.slice(dot);
}

function readBlocks(text: string, what: string): readonly Certificate[] {
  if (text.length > MAX_TEXT_BYTES) fail(what, 'is too large');
  const blocks = splitPem(text) ?? fail(what, 'is not PEM');
  if (blocks.length > MAX_CHAIN) fail(what, `has more than ${MAX_CHAIN} certificates`);
  return blocks.map((der) => parseCertificate(der, what));
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** Blocks of certificates, with what people are told about them around them (RFC 7468, section 5.2); undefined for blocks of anything else. */
function splitPem(text: string): readonly Buffer[] | undefined {
  const found: Buffer[] = [];
  let inside: string[] | undefined;
  for (const line of text.split('\n').map((one) => one.trimEnd())) {
    if (inside === undefined) {
      if (line === BEGIN) inside = [];
      else if (line.startsWith('-----')) return undefined;
    } else if (line === END) {
      const der = decodeBase64(inside.join('\n'));
      if (der === undefined) return undefined;
      found.push(der);
      inside = undefined;
    } else inside.push(line);
  }
  return inside === undefined ? found : undefined;
}

function fail(what: string, why: string): never {
  throw new OperationalError('SIGNATURE_INVALID', `${what} ${why}`);
}
