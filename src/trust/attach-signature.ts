import { setTimeout as sleep } from 'node:timers/promises';

import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf } from '../oci/digest.js';
import { JsonFields } from '../oci/json-fields.js';
import { OCI_MANIFEST } from '../oci/media-types.js';
import { parseDescriptor } from '../oci/parse-descriptor.js';
import type { ImageDestination } from '../transport/image-destination.js';
import type { ImageSource } from '../transport/image-source.js';
import { MAX_SIGNATURES, SIGSTORE_PAYLOAD } from './signature-blob.js';
import { SIGNATURE_ANNOTATION } from './verify-sigstore.js';

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';

/** A signature of sigstore's kind. */
export interface MadeSigstoreSignature {
  readonly payload: Buffer;
  /** In base64. */
  readonly signature: string;
}

/** Where the signatures of a manifest are. */
interface SignatureTag {
  readonly from: ImageSource;
  readonly to: ImageDestination;
}

/** How often a list is written again that others have written over. */
const MAX_TRIES = 6;

/** Shortest time in milliseconds that others are given to write over a list: a busy machine keeps them from it for as long as that. */
const MIN_SETTLE_MS = 400;

/** Longest time in milliseconds that others are given to write over a list, where writing it took long. */
const MAX_SETTLE_MS = 2000;

/**
 * Adds a signature to those that a registry has of a manifest, as cosign and podman do (cosign's SIGNATURE_SPEC, "Storage"): an image of
 * its own under a tag, a layer for each of them. A registry writes a tag whatever it meant before, so that of two who add one at once
 * the later drops the other's: the list is read once more when such a one would have written, and written again where it lacks ours.
 *
 * @param tag Where it is read from, and written to
 * @throws OperationalError LIMIT_EXCEEDED, SIGNATURE_INVALID if what is there is no list; BUSY if others write over it again and again;
 * what the registry gives rise to
 */
export async function attachSignature(
  tag: SignatureTag,
  { payload, signature }: MadeSigstoreSignature,
  signal: AbortSignal,
): Promise<void> {
  const layer: Descriptor = {
    mediaType: SIGSTORE_PAYLOAD,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [SIGNATURE_ANNOTATION]: signature },
  };
  await put(tag.to, { blob: layer, content: payload }, signal);
  let there = await readList(tag.from, signal);
  for (let tries = 0; !there.layers.some((one) => isSame(one, layer)); tries++) {
    if (tries === MAX_TRIES) {
      throw new OperationalError(
        'BUSY',
        `${quote(tag.from.name)} was written over ${MAX_TRIES} times by others who sign the same`,
      );
    }
    const startMs = performance.now();
    await writeList(tag.to, { list: there, layer }, signal);
    // Somebody who read the list before it was written is done with it in about the time that this took.
    const tookMs = performance.now() - startMs;
    const settleMs = Math.max(MIN_SETTLE_MS, tookMs) * (1 + Math.random());
    await pause(Math.min(MAX_SETTLE_MS, settleMs), signal);
    there = await readList(tag.from, signal);
  }
}

/** The signatures that are there, as they stand, and what else the document says. */
interface SignatureList {
  readonly layers: readonly { readonly descriptor: Descriptor; readonly raw: JsonValue }[];
  readonly beside: JsonObject;
}

/** What a manifest may say beside its layers and its configuration (image-spec v1.1 manifest.md). */
const BESIDE = ['annotations', 'subject', 'artifactType'] as const;

async function readList(from: ImageSource, signal: AbortSignal): Promise<SignatureList> {
  let bytes: Uint8Array;
  try {
    ({ bytes } = await from.readManifest(undefined, { signal }));
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'REGISTRY_NOT_FOUND')
      return { layers: [], beside: {} };
    throw error;
  }
  const what = `the list of signatures ${quote(from.name)}`;
  const fields = JsonFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  const document = parseStrictJson(bytes, { what }) as JsonObject;
  const layers = (document['layers'] ?? []) as readonly JsonValue[];
  return {
    layers: fields.objects('layers', MAX_SIGNATURES).map((layer, index) => ({
      descriptor: parseDescriptor(layer),
      raw: layers[index] ?? null,
    })),
    beside: Object.fromEntries(
      BESIDE.flatMap((key) => (document[key] === undefined ? [] : [[key, document[key]]])),
    ),
  };
}

function isSame({ descriptor }: SignatureList['layers'][number], ours: Descriptor): boolean {
  return (
    descriptor.digest === ours.digest &&
    descriptor.annotations?.[SIGNATURE_ANNOTATION] === ours.annotations?.[SIGNATURE_ANNOTATION]
  );
}

async function writeList(
  to: ImageDestination,
  { list, layer }: { readonly list: SignatureList; readonly layer: Descriptor },
  signal: AbortSignal,
): Promise<void> {
  const layers = [...list.layers.map(({ raw }) => raw), layer];
  if (layers.length > MAX_SIGNATURES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${quote(to.name)} has ${MAX_SIGNATURES} signatures, and nobody reads more`,
    );
  }
  const diffIds = [...list.layers.map(({ descriptor }) => descriptor), layer];
  const content = Buffer.from(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds.map(({ digest }) => digest) },
    }),
  );
  const config = { mediaType: CONFIG_TYPE, digest: digestOf(content), size: content.length };
  await put(to, { blob: config, content }, signal);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers,
      ...list.beside,
    }),
  );
  const manifest = { bytes, mediaType: OCI_MANIFEST, digest: digestOf(bytes), isTop: true };
  await to.putManifest(manifest, { signal });
  await to.commit({ signal });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted(); // the reason of the one who aborted, not the timer's
    throw error;
  });
}

async function put(
  to: ImageDestination,
  { blob, content }: { readonly blob: Descriptor; readonly content: Buffer },
  signal: AbortSignal,
): Promise<void> {
  if (await to.hasBlob(blob, { signal })) return;
  await to.putBlob(
    blob,
    async function* () {
      yield await Promise.resolve(content);
    },
    { signal },
  );
}
