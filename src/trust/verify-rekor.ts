import { createHash, verify } from 'node:crypto';

import { decodeBase64 } from '../base/decode-base64.js';
import { OperationalError } from '../errors/operational-error.js';
import type { PublicKey } from './public-keys.js';
import { StrictFields } from './strict-fields.js';

/** Where a signature has what the log said of it: a "signed entry timestamp" (cosign's SIGNATURE_SPEC). */
export const REKOR_ANNOTATION = 'dev.sigstore.cosign/bundle';

/** Largest bundle in bytes: one has some 2 KiB, of which most is the entry. */
const MAX_BUNDLE_BYTES = 64 * 1024;

/** How far the clocks of a log and of this host may differ, in milliseconds. */
const MAX_CLOCK_SKEW_MS = 300_000;

/** What an entry of the log has to be of: one signature, by its key, its bytes and what it signs (CVE-2022-23649, CVE-2026-22703). */
export interface LoggedSignature {
  readonly bundle: string | undefined;
  readonly signature: Buffer;
  readonly payload: Buffer;
  /** Whether what an entry has of who made it, in PEM, is of who made this one; may throw an OperationalError. */
  readonly isSigner: (pem: Buffer) => boolean;
}

/** When the log took a signature in, or why that is not known. */
export type LoggedAt =
  { readonly good: true; readonly atMs: number } | { readonly good: false; readonly why: string };

/**
 * Verifies without asking anybody that a transparency log has taken a signature in: by its key, over the canonical form (RFC 8785)
 * of its entry. An entry of another key, signature or document proves nothing of this one.
 *
 * @param logKeys Of the log: any of them may have signed
 */
export function verifyRekor(
  logged: LoggedSignature,
  logKeys: readonly PublicKey[],
  nowMs: number,
): LoggedAt {
  const { bundle } = logged;
  if (bundle === undefined)
    return { good: false, why: 'it has no proof of being in the log (rekor)' };
  if (bundle.length > MAX_BUNDLE_BYTES)
    return { good: false, why: 'its proof of being in the log is too large' };
  try {
    const { canonical, body, atMs, proof } = parseBundle(Buffer.from(bundle));
    if (!logKeys.some(({ key }) => verify('sha256', canonical, key, proof)))
      return { good: false, why: 'its entry of the log was signed by none of the keys of the log' };
    const why = findDifference(parseEntry(body), logged);
    if (why !== undefined) return { good: false, why };
    if (atMs > nowMs + MAX_CLOCK_SKEW_MS)
      return { good: false, why: 'the log has it in the future' };
    return { good: true, atMs };
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
}

const AT = { what: 'its proof of being in the log', code: 'SIGNATURE_INVALID' } as const;

function parseBundle(bytes: Buffer): {
  readonly canonical: Buffer;
  readonly proof: Buffer;
  readonly body: Buffer;
  readonly atMs: number;
} {
  const top = StrictFields.parse(bytes, AT);
  top.allowOnly('SignedEntryTimestamp', 'Payload');
  const payload = top.object('Payload');
  payload.allowOnly('body', 'integratedTime', 'logIndex', 'logID');
  const body = payload.text('body');
  const seconds = wholeNumber(payload, 'integratedTime');
  // RFC 8785: the keys in order, nothing between; texts and whole numbers as JavaScript writes them.
  const canonical = JSON.stringify({
    body,
    integratedTime: seconds,
    logID: payload.text('logID'),
    logIndex: wholeNumber(payload, 'logIndex'),
  });
  return {
    canonical: Buffer.from(canonical),
    proof: decode(top, 'SignedEntryTimestamp'),
    body: decode(payload, 'body'),
    atMs: seconds * 1000,
  };
}

/** What an entry of the kind that is made of a signature and a hash says. */
function parseEntry(bytes: Buffer): {
  readonly signature: Buffer;
  readonly publicKey: Buffer;
  readonly sha256: string;
} {
  const entry = StrictFields.parse(bytes, { ...AT, what: 'its entry of the log' });
  const kind = `${entry.text('kind')} ${entry.text('apiVersion')}`;
  if (kind !== 'hashedrekord 0.0.1')
    entry.fail('kind', `is ${kind}: berth reads hashedrekord 0.0.1`);
  const spec = entry.object('spec');
  const hash = spec.object('data').object('hash');
  if (hash.text('algorithm') !== 'sha256') hash.fail('algorithm', 'is not sha256');
  const signature = spec.object('signature');
  return {
    signature: decode(signature, 'content'),
    publicKey: decode(signature.object('publicKey'), 'content'),
    sha256: hash.text('value'),
  };
}

function findDifference(
  entry: ReturnType<typeof parseEntry>,
  { signature, payload, isSigner }: LoggedSignature,
): string | undefined {
  if (!entry.signature.equals(signature)) return 'its entry of the log is of another signature';
  if (entry.sha256 !== createHash('sha256').update(payload).digest('hex'))
    return 'its entry of the log is of another document';
  return isSigner(entry.publicKey) ? undefined : 'its entry of the log is of another key';
}

function wholeNumber(fields: StrictFields, key: string): number {
  const value = fields.value(key);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    fields.fail(key, 'is not a whole number');
  // A year in seconds that a date has room for.
  if (value > 8_640_000_000_000) fields.fail(key, 'is too large');
  return value;
}

function decode(fields: StrictFields, key: string): Buffer {
  return decodeBase64(fields.text(key)) ?? fields.fail(key, 'is not base64');
}
