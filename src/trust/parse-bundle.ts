import { parseLogEntry, type LogEntry } from './log-entry.js';
import { decodeField, StrictFields } from './strict-fields.js';

/** The media types of bundles: that of version 0.3, and those that it replaced (sigstore's sigstore_bundle.proto). */
export const BUNDLE_TYPE =
  /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json; ?version=0\.[123])$/;

/** Most certificates that come with a signature, and most entries of logs: each costs a verification. */
const MAX_CERTIFICATES = 10;
const MAX_ENTRIES = 8;

/** A bundle of sigstore's, version 0.1 to 0.3, with a statement in it: nothing in it is believed. */
export interface SigstoreBundle {
  /** What was signed, with its type (the DSSE protocol). */
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** In DER; the first one is of who has signed. None where a key has. */
  readonly certificates: readonly Buffer[];
  readonly entries: readonly LogEntry[];
}

/**
 * Parses a bundle in the JSON form of its protocol buffers. What is not known is refused: it may be what matters. Times of RFC 3161
 * are passed over, and hints at keys: a policy names no key of those who make times, and all of its keys are tried.
 *
 * @throws OperationalError SIGNATURE_INVALID
 */
export function parseBundle(bytes: Uint8Array): SigstoreBundle {
  const top = StrictFields.parse(bytes, { what: 'it', code: 'SIGNATURE_INVALID' });
  top.allowOnly('mediaType', 'verificationMaterial', 'dsseEnvelope', 'messageSignature');
  if (!BUNDLE_TYPE.test(top.text('mediaType')))
    top.fail('mediaType', 'is not that of a bundle of version 0.1 to 0.3');
  if (top.has('messageSignature'))
    top.fail('messageSignature', 'is of bytes: berth reads statements, as cosign signs images');
  const material = top.object('verificationMaterial');
  material.allowOnly(...SIGNERS, 'tlogEntries', 'timestampVerificationData');
  return {
    ...parseEnvelope(top.object('dsseEnvelope')),
    certificates: parseCertificates(material),
    entries: parseEntries(material),
  };
}

const SIGNERS = ['publicKey', 'certificate', 'x509CertificateChain'] as const;

function parseCertificates(material: StrictFields): readonly Buffer[] {
  const [kind, ...others] = SIGNERS.filter((key) => material.has(key));
  if (kind === undefined || others.length > 0)
    material.fail('', `has not one of ${SIGNERS.join(', ')}`);
  const signer = material.object(kind);
  if (kind === 'publicKey') return [];
  if (kind === 'certificate') return [decodeField(signer, 'rawBytes')];
  signer.allowOnly('certificates');
  const all = signer.objects('certificates');
  if (all.length > MAX_CERTIFICATES)
    signer.fail('certificates', `has more than ${MAX_CERTIFICATES} items`);
  return all.map((one) => decodeField(one, 'rawBytes'));
}

function parseEntries(material: StrictFields): readonly LogEntry[] {
  if (!material.has('tlogEntries') || material.isEmpty('tlogEntries')) return [];
  const entries = material.objects('tlogEntries');
  if (entries.length > MAX_ENTRIES)
    material.fail('tlogEntries', `has more than ${MAX_ENTRIES} items`);
  return entries.map(parseLogEntry);
}

function parseEnvelope(
  envelope: StrictFields,
): Pick<SigstoreBundle, 'payloadType' | 'payload' | 'signature'> {
  envelope.allowOnly('payload', 'payloadType', 'signatures');
  const [signature, ...others] = envelope.objects('signatures');
  // With two of them it would be open which one the rest of the bundle speaks of.
  if (signature === undefined || others.length > 0) envelope.fail('signatures', 'has not one item');
  signature.allowOnly('sig', 'keyid');
  return {
    payloadType: envelope.text('payloadType'),
    payload: decodeField(envelope, 'payload'),
    signature: decodeField(signature, 'sig'),
  };
}

/** What is signed of a statement: the pre-authentication encoding of its type and its bytes (the DSSE protocol). */
export function encodeStatement({
  payloadType,
  payload,
}: Pick<SigstoreBundle, 'payloadType' | 'payload'>): Buffer {
  const type = Buffer.from(payloadType);
  const head = `DSSEv1 ${type.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
