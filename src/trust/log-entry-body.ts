import { createHash } from 'node:crypto';

import { decodeBase64 } from '../base/decode-base64.js';
import { decodeField, StrictFields } from './strict-fields.js';

/** What an entry of a log is of. */
export interface EntryBody {
  readonly signature: Buffer;
  /** Who made it: a key or a certificate in PEM. */
  readonly signer: Buffer;
  /** Of what was signed, or of the statement in it. */
  readonly hashed: 'content' | 'payload';
  readonly algorithm: string;
  readonly hash: Buffer;
}

/** What an entry of the log has to be of: one signature, by its key, its bytes and what it signs (CVE-2022-23649, CVE-2026-22703). */
export interface LoggedSignature {
  readonly signature: Buffer;
  /** What was signed, and the document in it, which is the same but for statements. */
  readonly content: Buffer;
  readonly payload: Buffer;
  /** Whether what an entry has of who made it, in PEM, is of who made this one; may throw an OperationalError. */
  readonly isSigner: (pem: Buffer) => boolean;
}

/** By kind and version: what a log has of a signature, and of a signed statement (rekor's pkg/types; rekor-tiles' api/proto). */
const KINDS: Readonly<Record<string, (spec: StrictFields) => EntryBody>> = {
  'hashedrekord 0.0.1': (spec) => {
    const signature = spec.object('signature');
    return {
      signature: decodeField(signature, 'content'),
      signer: decodeField(signature.object('publicKey'), 'content'),
      ...hashInDigits(spec.object('data').object('hash')),
      hashed: 'content',
    };
  },
  'dsse 0.0.1': (spec) => {
    const signature = onlyOne(spec, 'signatures');
    return {
      signature: decodeField(signature, 'signature'),
      signer: decodeField(signature, 'verifier'),
      ...hashInDigits(spec.object('payloadHash')),
      hashed: 'payload',
    };
  },
  'intoto 0.0.2': (spec) => {
    const content = spec.object('content');
    const signature = onlyOne(content.object('envelope'), 'signatures');
    // In base64 once more: this kind keeps the text of the envelope.
    const text = decodeField(signature, 'sig').toString('latin1');
    return {
      signature: decodeBase64(text) ?? signature.fail('sig', 'is not base64'),
      signer: decodeField(signature, 'publicKey'),
      ...hashInDigits(content.object('payloadHash')),
      hashed: 'payload',
    };
  },
  'hashedrekord 0.0.2': (spec) => {
    const entry = spec.object('hashedRekordV002');
    const data = entry.object('data');
    return {
      ...signatureOf(entry.object('signature')),
      ...hashInBytes(data),
      hashed: 'content',
    };
  },
  'dsse 0.0.2': (spec) => {
    const entry = spec.object('dsseV002');
    return {
      ...signatureOf(onlyOne(entry, 'signatures')),
      ...hashInBytes(entry.object('payloadHash')),
      hashed: 'payload',
    };
  },
};

/** The kinds that can be of a signed statement. */
export const STATEMENT_KINDS: readonly string[] = Object.keys(KINDS);

const HASHES: Readonly<Record<string, string>> = {
  SHA2_256: 'sha256',
  SHA2_384: 'sha384',
  SHA2_512: 'sha512',
};

/**
 * Why an entry of a log is not of a signature; undefined if it is.
 *
 * @param kinds Those that can be, as `hashedrekord 0.0.1`
 * @throws OperationalError SIGNATURE_INVALID for what is no entry of these kinds
 */
export function findEntryFault(
  bytes: Buffer,
  { signature, content, payload, isSigner }: LoggedSignature,
  kinds: readonly string[],
): string | undefined {
  const entry = parseEntryBody(bytes, kinds);
  if (!entry.signature.equals(signature)) return 'its entry of the log is of another signature';
  const hashed = entry.hashed === 'content' ? content : payload;
  if (!createHash(entry.algorithm).update(hashed).digest().equals(entry.hash))
    return 'its entry of the log is of another document';
  return isSigner(entry.signer) ? undefined : 'its entry of the log is of another key';
}

function parseEntryBody(bytes: Buffer, kinds: readonly string[]): EntryBody {
  const entry = StrictFields.parse(bytes, {
    what: 'its entry of the log',
    code: 'SIGNATURE_INVALID',
  });
  const kind = `${entry.text('kind')} ${entry.text('apiVersion')}`;
  const parse = kinds.includes(kind) ? KINDS[kind] : undefined;
  if (parse === undefined)
    return entry.fail('kind', `is ${kind}: berth reads ${kinds.join(', ')} here`);
  return parse(entry.object('spec'));
}

function onlyOne(fields: StrictFields, key: string): StrictFields {
  const [one, ...others] = fields.objects(key);
  return one === undefined || others.length > 0 ? fields.fail(key, 'has not one item') : one;
}

function hashInDigits(fields: StrictFields): Pick<EntryBody, 'algorithm' | 'hash'> {
  const algorithm = fields.text('algorithm');
  if (algorithm !== 'sha256') fields.fail('algorithm', 'is not sha256');
  return { algorithm, hash: Buffer.from(fields.text('value'), 'hex') };
}

function hashInBytes(fields: StrictFields): Pick<EntryBody, 'algorithm' | 'hash'> {
  const algorithm = HASHES[fields.text('algorithm')];
  if (algorithm === undefined) fields.fail('algorithm', 'is none of SHA-2');
  return { algorithm, hash: decodeField(fields, 'digest') };
}

/** Newer logs have keys and certificates as bytes. */
function signatureOf(fields: StrictFields): Pick<EntryBody, 'signature' | 'signer'> {
  const verifier = fields.object('verifier');
  const isKey = verifier.has('publicKey');
  const der = decodeField(verifier.object(isKey ? 'publicKey' : 'x509Certificate'), 'rawBytes');
  const label = isKey ? 'PUBLIC KEY' : 'CERTIFICATE';
  const pem = `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
  return { signature: decodeField(fields, 'content'), signer: Buffer.from(pem) };
}
