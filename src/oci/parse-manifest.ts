import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { JsonFields } from './json-fields.js';
import type { ImageIndex, ImageManifest } from './manifest.js';
import {
  bareMediaType,
  findLayerCompression,
  isImageConfigType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.js';
import { parseDescriptor } from './parse-descriptor.js';

/** Largest manifest or index in bytes that is read; distribution-spec v1.1 asks registries for at least this much. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Most layers of one image: the limit of systemd's importctl; real images stay below 130 (an overlayfs limit). */
const MAX_LAYERS = 4096;

/** Most entries of one index: the largest in use have some hundred (every platform times an attestation). */
const MAX_INDEX_ENTRIES = 4096;

/** A document that a reference or a descriptor led to. */
export type ManifestOrIndex =
  | { readonly kind: 'manifest'; readonly manifest: ImageManifest }
  | { readonly kind: 'index'; readonly index: ImageIndex };

/** What is known of a document before it is read. */
export interface ManifestExpectation {
  /** For messages: "the manifest of 'docker.io/library/etcd:latest'". */
  readonly what: string;
  /** The server's Content-Type, if it has one. */
  readonly contentType?: string | undefined;
  /** The type that the descriptor promised, if one led here. */
  readonly promisedType?: string | undefined;
}

/**
 * Parses an image manifest or index, of OCI or Docker schema 2.
 *
 * A document that could be read as either, or whose type differs between body, header and descriptor, is refused: two
 * readers of it would install different images (CVE-2021-41190).
 *
 * @throws {@link OperationalError} JSON_INVALID, MANIFEST_INVALID, or MANIFEST_UNSUPPORTED for what is no container image
 */
export function parseManifest(bytes: Uint8Array, expected: ManifestExpectation): ManifestOrIndex {
  const { what } = expected;
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${what} is larger than ${MAX_MANIFEST_BYTES} bytes`,
    );
  }
  const fields = JsonFields.parse(bytes, { what, code: 'MANIFEST_INVALID' });
  refuseSchema1(fields, expected);
  if (fields.count('schemaVersion') !== 2) fields.fail('schemaVersion', 'is not 2');
  const kind = decideKind(fields);
  const mediaType = decideMediaType(fields, kind, expected);
  return kind === 'index'
    ? { kind, index: parseIndex(fields, mediaType) }
    : { kind, manifest: parseImageManifest(fields, mediaType, what) };
}

function refuseSchema1(fields: JsonFields, expected: ManifestExpectation): void {
  const types = [fields.optionalString('mediaType'), expected.contentType, expected.promisedType];
  const typed = types.some((type) => type !== undefined && isSchema1Type(bareMediaType(type)));
  const shaped = fields.has('fsLayers') || fields.optionalCount('schemaVersion') === 1;
  if (!typed && !shaped) return;
  throw new OperationalError(
    'MANIFEST_UNSUPPORTED',
    `${expected.what} is of Docker's schema 1, which nothing can verify`,
    { hint: 'push the image again with a tool of 2017 or later; skopeo copy converts it too' },
  );
}

function decideKind(fields: JsonFields): 'manifest' | 'index' {
  const asIndex = fields.has('manifests');
  const asManifest = fields.has('layers') || fields.has('config');
  if (asIndex && asManifest) {
    fields.fail(
      '',
      "has both 'manifests' and 'layers' or 'config': refusing an ambiguous document",
    );
  }
  if (!asIndex && !asManifest) fields.fail('', 'is neither a manifest nor an index');
  return asIndex ? 'index' : 'manifest';
}

function decideMediaType(
  fields: JsonFields,
  kind: 'manifest' | 'index',
  expected: ManifestExpectation,
): string {
  const claims = [
    { by: 'its body', type: fields.optionalString('mediaType') },
    // Servers of static files say application/json or octet-stream: only a claim to be a manifest counts as one.
    { by: 'the server', type: manifestTypeOf(expected.contentType) },
    { by: 'the descriptor', type: expected.promisedType },
  ].flatMap(({ by, type }) => (type === undefined ? [] : [{ by, type }]));
  const [first] = claims;
  if (first === undefined) return kind === 'index' ? OCI_INDEX : OCI_MANIFEST;
  for (const { by, type } of claims) {
    if (type !== first.type) {
      fields.fail('', `is ${quote(first.type)} to ${first.by} and ${quote(type)} to ${by}`);
    }
  }
  if (!(kind === 'index' ? isIndexType(first.type) : isManifestType(first.type))) {
    fields.fail(
      'mediaType',
      `says ${quote(first.type)}, but the document has the shape of an ${kind}`,
    );
  }
  return first.type;
}

function manifestTypeOf(contentType: string | undefined): string | undefined {
  const type = contentType === undefined ? '' : bareMediaType(contentType);
  return isManifestType(type) || isIndexType(type) ? type : undefined;
}

function parseIndex(fields: JsonFields, mediaType: string): ImageIndex {
  return {
    mediaType,
    manifests: fields.objects('manifests', MAX_INDEX_ENTRIES).map(parseDescriptor),
    annotations: fields.stringMap('annotations'),
  };
}

function parseImageManifest(fields: JsonFields, mediaType: string, what: string): ImageManifest {
  const config = parseDescriptor(fields.object('config'));
  if (!isImageConfigType(config.mediaType)) {
    throw new OperationalError(
      'MANIFEST_UNSUPPORTED',
      `${what} is not a container image but ${quote(fields.optionalString('artifactType') ?? config.mediaType)}`,
    );
  }
  const layers = fields.objects('layers', MAX_LAYERS).map(parseDescriptor);
  if (layers.length === 0) fields.fail('layers', 'is empty: there is nothing to install');
  for (const { mediaType: layerType } of layers) {
    if (findLayerCompression(layerType) === undefined) {
      throw new OperationalError(
        'MANIFEST_UNSUPPORTED',
        `${what} has a layer of type ${quote(layerType)}, which berth does not take`,
      );
    }
  }
  return { mediaType, config, layers, annotations: fields.stringMap('annotations') };
}
