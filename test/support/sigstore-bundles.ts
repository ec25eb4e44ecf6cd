import { createHash, createPublicKey, sign } from 'node:crypto';

import {
  pushBlob,
  pushManifest,
  sha256,
  type PushedDescriptor,
  type PushTarget,
} from './push-image.js';
import type { SigstoreKey } from './sigstore-attachments.js';

/* Bundles of sigstore's newer format from their parts, right ones and wrong ones. */

export const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const STATEMENT = 'application/vnd.in-toto+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A statement in its envelope, signed. */
export interface SignedStatement {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
}

/** A statement of in-toto's. */
export interface Statement {
  readonly _type: string;
  readonly subject: readonly { readonly digest: Readonly<Record<string, string>> }[];
  readonly predicateType: string;
  readonly predicate: object;
}

/** What cosign signs of an image. */
export function statementOf(
  digest: string,
  changes: Readonly<Record<string, unknown>> = {},
): Statement {
  const [algorithm = '', hex = ''] = digest.split(':');
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { [algorithm]: hex } }],
    predicateType: SIGN_PREDICATE,
    predicate: {},
    ...changes,
  };
}

/** The bytes that are signed of a statement. */
export function preAuthenticate(payloadType: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Signs a document as a statement, as cosign does. */
export function signStatement(
  { privateKey }: SigstoreKey,
  document: object | string,
  { payloadType = STATEMENT, hash = 'sha256' } = {},
): SignedStatement {
  const payload = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  const algorithm = privateKey.asymmetricKeyType === 'ed25519' ? null : hash;
  const signature = sign(algorithm, preAuthenticate(payloadType, payload), privateKey);
  return { payloadType, payload, signature };
}

/** What a bundle has beside a statement. */
export interface BundleParts {
  /** In PEM; a hint at a key unless given. */
  readonly certificate?: string | undefined;
  readonly entries?: readonly object[] | undefined;
}

/** A bundle with a statement. */
export interface Bundle {
  readonly mediaType: string;
  readonly verificationMaterial: object;
  readonly dsseEnvelope: {
    readonly payload: string;
    readonly payloadType: string;
    readonly signatures: readonly { readonly sig: string }[];
  };
}

/** A bundle of version 0.3, to be written as JSON. */
export function makeBundle(
  signed: SignedStatement,
  { certificate, entries }: BundleParts = {},
): Bundle {
  return {
    mediaType: BUNDLE,
    verificationMaterial: {
      ...(certificate === undefined
        ? { publicKey: { hint: 'a hint' } }
        : { certificate: { rawBytes: derOf(certificate) } }),
      ...(entries === undefined ? {} : { tlogEntries: entries }),
    },
    dsseEnvelope: {
      payload: signed.payload.toString('base64'),
      payloadType: signed.payloadType,
      signatures: [{ sig: signed.signature.toString('base64') }],
    },
  };
}

/** What a log has of a statement. */
export interface BundleEntryParts {
  readonly signed: SignedStatement;
  /** A key or a certificate, in PEM. */
  readonly signer: string;
  /** `dsse 0.0.1` unless given. */
  readonly kind?: keyof typeof BODIES;
  /** In seconds; now unless given. */
  readonly at?: number;
  /** What the log signs: the entry, the tree that it stands in, or both unless given. */
  readonly proofs?: readonly ('promise' | 'tree')[];
  /** How many entries the log has, and which of them it is. */
  readonly size?: number;
  readonly index?: number;
}

const digestOf = (content: Buffer): Buffer => createHash('sha256').update(content).digest();
const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64');
const derOf = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');

const BODIES = {
  'dsse 0.0.1': ({ signed, signer }: BundleEntryParts) => ({
    envelopeHash: { algorithm: 'sha256', value: '00'.repeat(32) },
    payloadHash: { algorithm: 'sha256', value: digestOf(signed.payload).toString('hex') },
    signatures: [{ signature: base64(signed.signature), verifier: base64(signer) }],
  }),
  'intoto 0.0.2': ({ signed, signer }: BundleEntryParts) => ({
    content: {
      envelope: {
        payloadType: signed.payloadType,
        signatures: [{ publicKey: base64(signer), sig: base64(base64(signed.signature)) }],
      },
      hash: { algorithm: 'sha256', value: '00'.repeat(32) },
      payloadHash: { algorithm: 'sha256', value: digestOf(signed.payload).toString('hex') },
    },
  }),
  'hashedrekord 0.0.1': ({ signed, signer }: BundleEntryParts) => {
    const value = digestOf(preAuthenticate(signed.payloadType, signed.payload)).toString('hex');
    return {
      data: { hash: { algorithm: 'sha256', value } },
      signature: {
        content: base64(signed.signature),
        publicKey: { content: base64(signer) },
      },
    };
  },
  'hashedrekord 0.0.2': ({ signed, signer }: BundleEntryParts) => {
    const digest = base64(digestOf(preAuthenticate(signed.payloadType, signed.payload)));
    return {
      hashedRekordV002: {
        data: { algorithm: 'SHA2_256', digest },
        signature: { content: base64(signed.signature), verifier: verifierOf(signer) },
      },
    };
  },
  'dsse 0.0.2': ({ signed, signer }: BundleEntryParts) => ({
    dsseV002: {
      payloadHash: { algorithm: 'SHA2_256', digest: base64(digestOf(signed.payload)) },
      signatures: [{ content: base64(signed.signature), verifier: verifierOf(signer) }],
    },
  }),
};

function verifierOf(pem: string) {
  const kind = pem.includes('CERTIFICATE') ? 'x509Certificate' : 'publicKey';
  return { keyDetails: 'PKIX_ECDSA_P256_SHA_256', [kind]: { rawBytes: derOf(pem) } };
}

/** An entry of a log. */
export interface BundleEntry {
  readonly logIndex: string;
  readonly logId: { readonly keyId: string };
  readonly kindVersion: { readonly kind: string; readonly version: string };
  readonly integratedTime?: string;
  readonly inclusionPromise?: { readonly signedEntryTimestamp: string };
  readonly inclusionProof?: InclusionProof;
  readonly canonicalizedBody: string;
}

/** Where an entry is in the tree of its log. */
export interface InclusionProof {
  readonly logIndex: string;
  readonly rootHash: string;
  readonly treeSize: string;
  readonly hashes: readonly string[];
  readonly checkpoint: { readonly envelope: string };
}

/** An entry as a log gives it, signed in one way or two. */
export function logStatement(log: SigstoreKey, parts: BundleEntryParts): BundleEntry {
  const { kind = 'dsse 0.0.1', at = Math.floor(Date.now() / 1000) } = parts;
  const { proofs = ['promise', 'tree'], size = 11, index = 6 } = parts;
  const [name = '', version = ''] = kind.split(' ');
  const spec = BODIES[kind](parts);
  const body = Buffer.from(JSON.stringify({ apiVersion: version, kind: name, spec }));
  const id = digestOf(derBytes(log.publicKey));
  const position = index + 1000;
  const canonical = JSON.stringify({
    body: base64(body),
    integratedTime: at,
    logID: id.toString('hex'),
    logIndex: position,
  });
  const isEdwards = log.privateKey.asymmetricKeyType === 'ed25519';
  const promise = sign(isEdwards ? null : 'sha256', Buffer.from(canonical), log.privateKey);
  return {
    logIndex: String(position),
    logId: { keyId: base64(id) },
    kindVersion: { kind: name, version },
    ...(proofs.includes('promise')
      ? {
          integratedTime: String(at),
          inclusionPromise: { signedEntryTimestamp: base64(promise) },
        }
      : {}),
    ...(proofs.includes('tree')
      ? { inclusionProof: proveInclusion(log, { body, size, index }) }
      : {}),
    canonicalizedBody: base64(body),
  };
}

function proveInclusion(
  log: SigstoreKey,
  { body, size, index }: { readonly body: Buffer; readonly size: number; readonly index: number },
): InclusionProof {
  const leaves = Array.from({ length: size }, (_, at) =>
    at === index ? body : Buffer.from(`entry ${at}`),
  );
  const rootHash = base64(treeHash(leaves));
  return {
    logIndex: String(index),
    rootHash,
    treeSize: String(size),
    hashes: wayOf(index, leaves).map(base64),
    checkpoint: { envelope: signCheckpoint(log, `log.example\n${size}\n${rootHash}\n`) },
  };
}

/** A note that a log has signed, with a signature of a witness before it. */
export function signCheckpoint(
  { publicKey, privateKey }: SigstoreKey,
  note: string,
  name = 'log.example',
): string {
  const isEdwards = privateKey.asymmetricKeyType === 'ed25519';
  const der = derBytes(publicKey);
  const hint = isEdwards
    ? digestOf(Buffer.concat([Buffer.from(`${name}\n\u0001`), der.subarray(-32)]))
    : digestOf(der);
  const signature = sign(isEdwards ? null : 'sha256', Buffer.from(note), privateKey);
  const line = base64(Buffer.concat([hint.subarray(0, 4), signature]));
  return `${note}\n\u2014 witness.example ${base64('some other signature')}\n\u2014 ${name} ${line}\n`;
}

function derBytes(publicKey: string): Buffer {
  return createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
}

/** The root of a Merkle tree, as RFC 9162 defines it in section 2.1.1: from the halves. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  const [leaf] = leaves;
  if (leaves.length === 1) return digestOf(Buffer.concat([Buffer.from([0]), leaf ?? Buffer.of()]));
  const half = halfOf(leaves.length);
  const halves = [treeHash(leaves.slice(0, half)), treeHash(leaves.slice(half))];
  return digestOf(Buffer.concat([Buffer.from([1]), ...halves]));
}

/** The hashes beside the way from a leaf to the root (section 2.1.3.1). */
function wayOf(index: number, leaves: readonly Buffer[]): readonly Buffer[] {
  if (leaves.length === 1) return [];
  const half = halfOf(leaves.length);
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
  return index < half
    ? [...wayOf(index, left), treeHash(right)]
    : [...wayOf(index - half, right), treeHash(left)];
}

/** The largest power of two below a number. */
function halfOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** What is noted beside a bundle in a registry. */
const ANNOTATIONS = {
  'dev.sigstore.bundle.content': 'dsse-envelope',
  'dev.sigstore.bundle.predicateType': SIGN_PREDICATE,
};

/** The manifest that says which image a bundle is about, as cosign makes it. */
export function bundleManifest(
  subject: Pick<PushedDescriptor, 'mediaType' | 'digest' | 'size'>,
  layer: Pick<PushedDescriptor, 'digest' | 'size'>,
): Readonly<Record<string, unknown>> {
  const { mediaType, digest, size } = subject;
  const empty = Buffer.from('{}');
  return {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: BUNDLE,
    config: {
      mediaType: 'application/vnd.oci.empty.v1+json',
      digest: sha256(empty),
      size: empty.length,
    },
    layers: [{ mediaType: BUNDLE, digest: layer.digest, size: layer.size }],
    subject: { mediaType, digest, size },
    annotations: ANNOTATIONS,
  };
}

/**
 * Pushes bundles of an image as cosign does.
 *
 * @param how `tag`: the registry keeps no list of what refers to what, so that cosign does under a tag; with the type that its
 * library gives what has an empty configuration
 */
export async function pushBundles(
  target: PushTarget,
  bundles: readonly object[],
  { subject, how }: { readonly subject: PushedDescriptor; readonly how: 'list' | 'tag' },
): Promise<void> {
  const manifests = [];
  await pushBlob(target, Buffer.from('{}'));
  for (const bundle of bundles) {
    const layer = await pushBlob(target, Buffer.from(JSON.stringify(bundle)));
    const pushed = await pushManifest(target, undefined, bundleManifest(subject, layer));
    const artifactType = 'application/vnd.oci.empty.v1+json';
    manifests.push({ ...pushed, artifactType, annotations: ANNOTATIONS });
  }
  if (how === 'tag')
    await pushManifest(target, subject.digest.replace(':', '-'), {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests,
    });
}
