import { fileURLToPath } from 'node:url';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.js';
import { JsonFields } from '../oci/json-fields.js';
import { parseDescriptor } from '../oci/parse-descriptor.js';
import { readVerified } from '../oci/verify-content.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { ImageSource } from '../transport/image-source.js';
import { readBundles } from './read-bundles.js';
import { tooMany, unlessAway } from './read-failures.js';
import {
  MAX_SIGNATURES,
  MAX_SIGNATURE_BYTES,
  SIGSTORE_PAYLOAD,
  sortSignature,
  type UntrustedSignature,
} from './signature-blob.js';
import type { SignatureRequirement } from './policy.js';
import { placesFor, type RegistriesD } from './registries-d.js';

/** What signatures are read with. */
export interface SignatureReader {
  readonly registriesD: RegistriesD;
  readonly registryClient: Pick<RegistryClient, 'fetchFile'>;
  /** A path of the host as a path to open; may throw. */
  readonly onDisk: (path: string) => Promise<string>;
  readonly signal: AbortSignal;
}

/** Which signatures. */
export interface SignedDocument {
  readonly source: ImageSource;
  readonly digest: Digest;
  /** Whether it is what the reference led to. */
  readonly isTop: boolean;
}

/** Places with signatures of one manifest or index. Each is read when it is asked for, once. */
export interface SignatureList {
  /**
   * The places where signatures of a kind are, to be read one after the other until one has what is wanted: those in the registry are
   * of sigstore's kind alone, and nobody who asks for others waits for them, or for what is wrong with them.
   */
  forType(
    type: SignatureRequirement['type'],
  ): readonly (() => Promise<readonly UntrustedSignature[]>)[];
}

/**
 * The signatures of a manifest or index, from everywhere where its transport keeps them: beside a `dir:`, in the registry where
 * registries.d says so, and in the place that it names. Where there are none, there are none; every other failure is one, so that a
 * server that is down, or is made to look so, does not make a signed image an unsigned one: reading gives SIGNATURE_UNAVAILABLE,
 * LIMIT_EXCEEDED or SIGNATURE_INVALID.
 */
export function openSignatures(document: SignedDocument, reader: SignatureReader): SignatureList {
  const { source, digest, isTop } = document;
  const { reference, transport } = source.identity;
  if (source.readSignature !== undefined) {
    const beside = once(() =>
      readNumbered(
        `${source.name}: signature`,
        async (number) => await source.readSignature?.(isTop ? undefined : digest, number),
      ),
    );
    return { forType: () => [beside] };
  }
  if (transport !== 'docker' || reference === undefined) return { forType: () => [] };
  const { lookaside, attachments } = placesFor(reader.registriesD, source.identity);
  const base = lookasideUrl(lookaside, reference.repository, digest);
  const kept = once(() =>
    readNumbered(base, (number) => readPlace(`${base}/signature-${number}`, reader)),
  );
  const attached = once(() => readAttachments(document, reader));
  const bundles = once(() => readBundles(document, reader.signal));
  return {
    forType: (type) =>
      attachments && type === 'sigstoreSigned' ? [attached, bundles, kept] : [kept],
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => (reading ??= read());
}

/** Where the signatures of a manifest are below a place for signatures: `BASE/REPOSITORY@ALGORITHM=HEX`. */
export function lookasideUrl(base: string, repository: string, digest: Digest): string {
  return `${base.replace(/\/+$/, '')}/${repository}@${digestAlgorithm(digest)}=${digestHex(digest)}`;
}

/** The tag under which cosign keeps the signatures of a manifest. */
export function attachmentTag(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}.sig`;
}

/** The first number that is missing ends the list. */
async function readNumbered(
  from: string,
  read: (number: number) => Promise<Buffer | undefined>,
): Promise<readonly UntrustedSignature[]> {
  const found: UntrustedSignature[] = [];
  for (let number = 1; ; number++) {
    const blob = await unlessAway(from, () => read(number));
    if (blob === undefined) return found;
    if (number > MAX_SIGNATURES) throw tooMany(from);
    found.push(sortSignature(blob, `signature ${number}`));
  }
}

async function readPlace(
  address: string,
  { registryClient, onDisk, signal }: SignatureReader,
): Promise<Buffer | undefined> {
  const url = new URL(address);
  const maxBytes = MAX_SIGNATURE_BYTES;
  if (url.protocol !== 'file:') return await registryClient.fetchFile({ url, maxBytes, signal });
  try {
    return await readFileBounded(await onDisk(fileURLToPath(url)), { maxBytes });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function readAttachments(
  { source, digest }: SignedDocument,
  { signal }: SignatureReader,
): Promise<readonly UntrustedSignature[]> {
  if (source.openTag === undefined) return [];
  await using attached = source.openTag(attachmentTag(digest));
  return await unlessAway(attached.name, async () => {
    const layers = await listAttachments(attached, signal);
    const found: UntrustedSignature[] = [];
    for (const layer of layers) {
      if (layer.mediaType !== SIGSTORE_PAYLOAD) continue; // attestations and such: nothing that a policy speaks of
      const name = `sigstore signature ${found.length + 1}`;
      if (layer.size > MAX_SIGNATURE_BYTES) {
        found.push({ kind: 'unknown', name });
        continue;
      }
      const payload = await readLayer(attached, layer, signal);
      found.push({ kind: 'sigstore', payload, annotations: layer.annotations ?? {}, name });
    }
    return found;
  });
}

async function listAttachments(
  attached: ImageSource,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  let bytes: Uint8Array;
  try {
    ({ bytes } = await attached.readManifest(undefined, { signal }));
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'REGISTRY_NOT_FOUND') return [];
    throw error;
  }
  const what = `the list of signatures ${quote(attached.name)}`;
  const fields = JsonFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  return fields.objects('layers', MAX_SIGNATURES).map(parseDescriptor);
}

async function readLayer(
  attached: ImageSource,
  layer: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  if (layer.data !== undefined) return Buffer.from(layer.data);
  await using blob = await attached.openBlob(layer, { signal });
  return Buffer.from(await readVerified(blob, layer));
}
