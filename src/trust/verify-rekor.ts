import { verify } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import { findEntryFault, type LoggedSignature } from './log-entry-body.js';
import type { PublicKey } from './public-keys.js';
import { decodeField, StrictFields } from './strict-fields.js';

/** Where a signature has what the log said of it: a "signed entry timestamp" (cosign's SIGNATURE_SPEC). */
export const REKOR_ANNOTATION = 'dev.sigstore.cosign/bundle';

/** Largest bundle in bytes: one has some 2 KiB, of which most is the entry. */
const MAX_BUNDLE_BYTES = 64 * 1024;

/** How far the clocks of a log and of this host may differ, in milliseconds. */
const MAX_CLOCK_SKEW_MS = 300_000;

/** When the log took a signature in, or why that is not known. */
export type LoggedAt =
  | {
      readonly good: true;
      /** Undefined where it does not say when, in what it has signed. */
      readonly atMs: number | undefined;
    }
  | { readonly good: false; readonly why: string };

/** What a log signs of an entry, beside its body in base64. */
export interface PromisedEntry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logID: string;
  readonly logIndex: number;
}

/**
 * Verifies without asking anybody that a transparency log has taken a signature in: by its key, over its entry. An entry of another key,
 * signature or document proves nothing of this one.
 *
 * @param bundle The annotation {@link REKOR_ANNOTATION}
 * @param logKeys Of the log: any of them may have signed
 */
export function verifyRekor(
  bundle: string | undefined,
  logged: LoggedSignature,
  { logKeys, nowMs }: { readonly logKeys: readonly PublicKey[]; readonly nowMs: number },
): LoggedAt {
  if (bundle === undefined)
    return { good: false, why: 'it has no proof of being in the log (rekor)' };
  if (bundle.length > MAX_BUNDLE_BYTES)
    return { good: false, why: 'its proof of being in the log is too large' };
  try {
    const { entry, body, promise } = parseBundle(Buffer.from(bundle));
    if (!isPromised(entry, promise, logKeys)) return { good: false, why: NOT_SIGNED };
    const why = findEntryFault(body, logged, ['hashedrekord 0.0.1']);
    return why === undefined ? judgeTime(entry.integratedTime * 1000, nowMs) : { good: false, why };
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
}

/** What is wrong with an entry that somebody else made up. */
export const NOT_SIGNED = 'its entry of the log was signed by none of the keys of the log';

/** Whether a log has signed an entry, in its canonical form (RFC 8785). */
export function isPromised(
  { body, integratedTime, logID, logIndex }: PromisedEntry,
  promise: Buffer,
  logKeys: readonly PublicKey[],
): boolean {
  // The keys in order, nothing between; texts and whole numbers as JavaScript writes them.
  const canonical = Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
  return logKeys.some(({ key }) =>
    verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', canonical, key, promise),
  );
}

/** A time that a log has signed: not one that is still to come. */
export function judgeTime(atMs: number, nowMs: number): LoggedAt {
  return atMs > nowMs + MAX_CLOCK_SKEW_MS
    ? { good: false, why: 'the log has it in the future' }
    : { good: true, atMs };
}

function parseBundle(bytes: Buffer): {
  readonly entry: PromisedEntry;
  readonly promise: Buffer;
  readonly body: Buffer;
} {
  const what = 'its proof of being in the log';
  const top = StrictFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  top.allowOnly('SignedEntryTimestamp', 'Payload');
  const payload = top.object('Payload');
  payload.allowOnly('body', 'integratedTime', 'logIndex', 'logID');
  return {
    entry: {
      body: payload.text('body'),
      integratedTime: wholeNumber(payload, 'integratedTime'),
      logID: payload.text('logID'),
      logIndex: wholeNumber(payload, 'logIndex'),
    },
    promise: decodeField(top, 'SignedEntryTimestamp'),
    body: decodeField(payload, 'body'),
  };
}

function wholeNumber(fields: StrictFields, key: string): number {
  const value = fields.value(key);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    fields.fail(key, 'is not a whole number');
  // A year in seconds that a date has room for.
  if (value > 8_640_000_000_000) fields.fail(key, 'is too large');
  return value;
}
