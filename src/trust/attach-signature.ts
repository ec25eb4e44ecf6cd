import { quote } from '../base/escape-text.js';
import { parseStrictJson, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, type Digest } from '../oci/digest.js';
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

/**
 * Adds a signature to those that a registry has of a manifest, as cosign and podman do (cosign's SIGNATURE_SPEC, "Storage"): an image of
 * its own under a tag, a layer for each of them. Of two who add one at once the later may drop the other's: registries know no better.
 *
 * @param tag Where it is read from, and written to
 * @throws OperationalError LIMIT_EXCEEDED, SIGNATURE_INVALID if what is there is no list; what the registry gives rise to
 */
export async function attachSignature(
  tag: { readonly from: ImageSource; readonly to: ImageDestination },
  { payload, signature }: MadeSigstoreSignature,
  signal: AbortSignal,
): Promise<void> {
  const layer: Descriptor = {
    mediaType: SIGSTORE_PAYLOAD,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [SIGNATURE_ANNOTATION]: signature },
  };
  const there = await listLayers(tag.from, signal);
  const layers = [...there.map(({ raw }) => raw), layer];
  if (layers.length > MAX_SIGNATURES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${quote(tag.from.name)} has ${MAX_SIGNATURES} signatures, and nobody reads more`,
    );
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: [...there, layer].map(({ digest }) => digest) },
    }),
  );
  const described = { mediaType: CONFIG_TYPE, digest: digestOf(config), size: config.length };
  await put(tag.to, { blob: layer, content: payload }, signal);
  await put(tag.to, { blob: described, content: config }, signal);
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: described, layers }),
  );
  const manifest = { bytes, mediaType: OCI_MANIFEST, digest: digestOf(bytes), isTop: true };
  await tag.to.putManifest(manifest, { signal });
  await tag.to.commit({ signal });
}

/** What is there stays as it stands, whatever it says beside. */
async function listLayers(
  from: ImageSource,
  signal: AbortSignal,
): Promise<readonly { readonly digest: Digest; readonly raw: JsonValue }[]> {
  let bytes: Uint8Array;
  try {
    ({ bytes } = await from.readManifest(undefined, { signal }));
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'REGISTRY_NOT_FOUND') return [];
    throw error;
  }
  const what = `the list of signatures ${quote(from.name)}`;
  const fields = JsonFields.parse(bytes, { what, code: 'SIGNATURE_INVALID' });
  const { layers = [] } = parseStrictJson(bytes, { what }) as {
    readonly layers?: readonly JsonValue[];
  };
  return fields
    .objects('layers', MAX_SIGNATURES)
    .map((layer, index) => ({ digest: parseDescriptor(layer).digest, raw: layers[index] ?? null }));
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
