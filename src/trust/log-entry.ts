import { decodeBase64 } from '../base/decode-base64.js';
import { decodeField, type StrictFields } from './strict-fields.js';

/** Most hashes from a leaf to the root of a tree: a tree of 2^53 leaves has no longer way. */
const MAX_HASHES = 64;

/** Where an entry is in the tree of its log: nothing in it is believed. */
export interface InclusionProof {
  readonly logIndex: number;
  readonly treeSize: number;
  readonly rootHash: Buffer;
  /** From the leaf to the root. */
  readonly hashes: readonly Buffer[];
  /** What the log has signed of the tree, as text. */
  readonly checkpoint: string;
}

/** An entry of a transparency log, as it comes in a bundle (sigstore's sigstore_rekor.proto): nothing in it is believed. */
export interface LogEntry {
  readonly body: Buffer;
  readonly logIndex: number;
  /** In hexadecimal digits. */
  readonly logId: string;
  /** When the log says that it took it in; 0 where it says no time. */
  readonly atSeconds: number;
  /** What the log has signed of the entry itself: a "signed entry timestamp". */
  readonly promise: Buffer | undefined;
  readonly proof: InclusionProof | undefined;
}

/**
 * Parses an entry of a log in the JSON form of its protocol buffers. Of which kind it is its body says by itself.
 *
 * @throws OperationalError SIGNATURE_INVALID
 */
export function parseLogEntry(fields: StrictFields): LogEntry {
  fields.allowOnly(
    ...['logIndex', 'logId', 'kindVersion', 'integratedTime', 'inclusionPromise'],
    ...['inclusionProof', 'canonicalizedBody'],
  );
  const promise = fields.has('inclusionPromise') ? fields.object('inclusionPromise') : undefined;
  const atSeconds = wholeNumber(fields, 'integratedTime');
  // A year that a date has room for.
  if (atSeconds > 8_640_000_000_000) fields.fail('integratedTime', 'is too large');
  return {
    body: decodeField(fields, 'canonicalizedBody'),
    logIndex: wholeNumber(fields, 'logIndex'),
    logId: decodeField(fields.object('logId'), 'keyId').toString('hex'),
    atSeconds,
    promise: promise === undefined ? undefined : decodeField(promise, 'signedEntryTimestamp'),
    proof: fields.has('inclusionProof') ? parseProof(fields.object('inclusionProof')) : undefined,
  };
}

function parseProof(proof: StrictFields): InclusionProof {
  proof.allowOnly('logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint');
  const hashes = proof.has('hashes') && !proof.isEmpty('hashes') ? proof.texts('hashes') : [];
  if (hashes.length > MAX_HASHES) proof.fail('hashes', `has more than ${MAX_HASHES} items`);
  return {
    logIndex: wholeNumber(proof, 'logIndex'),
    treeSize: wholeNumber(proof, 'treeSize'),
    rootHash: decodeField(proof, 'rootHash'),
    hashes: hashes.map((text) => decodeBase64(text) ?? proof.fail('hashes', 'is not base64')),
    checkpoint: proof.object('checkpoint').text('envelope'),
  };
}

/** This form has large numbers as text, and leaves those out that are 0. */
function wholeNumber(fields: StrictFields, key: string): number {
  const value = fields.value(key) ?? 0;
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0)
    return fields.fail(key, 'is not a whole number');
  return number;
}
