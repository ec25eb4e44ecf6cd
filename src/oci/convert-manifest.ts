import { parseStrictJson, type JsonObject, type JsonValue } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { digestOf, type Digest } from './digest.js';
import { listReferences } from './list-references.js';
import {
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
  isIndexType,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.js';

/** The two families of documents that an image can be described in. */
export const MANIFEST_FORMATS = ['oci', 'docker'] as const;

/** One of {@link MANIFEST_FORMATS}. */
export type ManifestFormat = (typeof MANIFEST_FORMATS)[number];

/** A document in another format. */
export interface ConvertedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** What {@link convertManifest} takes. */
export interface ConvertOptions {
  readonly format: ManifestFormat;
  /** For messages: `the manifest of 'docker://…'`. */
  readonly what: string;
  /** What the documents that an index lists have become. */
  readonly converted: ReadonlyMap<string, ConvertedManifest>;
}

const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';
const DOCKER_FOREIGN_LAYER = 'application/vnd.docker.image.rootfs.foreign.diff.tar';
const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
const OCI_FOREIGN_LAYER = 'application/vnd.oci.image.layer.nondistributable.v1.tar';

/** Types that say the same in the two formats. Blobs stay as they are: configurations of both have the same members. */
const SAME: readonly (readonly [docker: string, oci: string])[] = [
  ['application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json'],
  [DOCKER_LAYER, OCI_LAYER],
  [`${DOCKER_LAYER}.gzip`, `${OCI_LAYER}+gzip`],
  [`${DOCKER_LAYER}.zstd`, `${OCI_LAYER}+zstd`],
  [DOCKER_FOREIGN_LAYER, OCI_FOREIGN_LAYER],
  [`${DOCKER_FOREIGN_LAYER}.gzip`, `${OCI_FOREIGN_LAYER}+gzip`],
];

/** The format of a manifest or index of this type. */
export function formatOf(mediaType: string): ManifestFormat {
  return mediaType === DOCKER_MANIFEST || mediaType === DOCKER_MANIFEST_LIST ? 'docker' : 'oci';
}

/**
 * Puts a manifest or index into the other format; one that is in it already comes back as it is. Only the document changes, the
 * blobs that it names do not. Docker's format has no annotations, which are left out of it; what else it has no words for is refused.
 *
 * @throws {@link OperationalError} MANIFEST_UNSUPPORTED for what the format cannot hold; as {@link listReferences}
 */
export function convertManifest(
  document: { readonly bytes: Uint8Array; readonly mediaType?: string | undefined },
  options: ConvertOptions,
): ConvertedManifest {
  const { format, what, converted } = options;
  const { bytes } = document;
  const { mediaType } = listReferences(bytes, { what, contentType: document.mediaType });
  const parsed = parseStrictJson(bytes, { what }) as JsonObject;
  const isIndex = isIndexType(mediaType);
  const children = isIndex ? listOf(parsed['manifests']) : [];
  const hasOther = children.some((entry) => becameAnother(entry, converted));
  if (formatOf(mediaType) === format && !hasOther) {
    return { bytes, mediaType, digest: digestOf(bytes) };
  }
  if (
    format === 'docker' &&
    (parsed['subject'] !== undefined || parsed['artifactType'] !== undefined)
  ) {
    throw unsupported(what, 'is an artifact, which has no form in it');
  }
  const wanted = typeFor(format, isIndex);
  const body = isIndex
    ? { manifests: children.map((entry) => convertEntry(entry, options)) }
    : {
        config: convertDescriptor(parsed['config'] as JsonObject, options),
        layers: listOf(parsed['layers']).map((layer) => convertDescriptor(layer, options)),
      };
  const { annotations } = parsed;
  const kept = format === 'oci' && annotations !== undefined ? { annotations } : {};
  const made = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: wanted, ...body, ...kept }),
  );
  return { bytes: made, mediaType: wanted, digest: digestOf(made) };
}

function typeFor(format: ManifestFormat, isIndex: boolean): string {
  if (format === 'oci') return isIndex ? OCI_INDEX : OCI_MANIFEST;
  return isIndex ? DOCKER_MANIFEST_LIST : DOCKER_MANIFEST;
}

function listOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as JsonObject[]) : [];
}

/** What {@link listReferences} has found to be a text. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function becameAnother(
  entry: JsonObject,
  converted: ReadonlyMap<string, ConvertedManifest>,
): boolean {
  const digest = textOf(entry['digest']);
  const found = converted.get(digest);
  return found !== undefined && found.digest !== digest;
}

function convertEntry(entry: JsonObject, { converted, format }: ConvertOptions): JsonObject {
  const found = converted.get(textOf(entry['digest']));
  if (found === undefined)
    throw new Error('internal error: an index is converted before its manifests');
  const { bytes, digest, mediaType } = found;
  return { ...withoutAnnotations(entry, format), mediaType, size: bytes.length, digest };
}

function convertDescriptor(descriptor: JsonObject, { format, what }: ConvertOptions): JsonObject {
  const said = textOf(descriptor['mediaType']);
  const [from, to] = format === 'oci' ? ([0, 1] as const) : ([1, 0] as const);
  const mediaType = SAME.find((pair) => pair[from] === said)?.[to];
  if (mediaType === undefined && format === 'docker' && !SAME.some((pair) => pair[to] === said)) {
    throw unsupported(what, `names content of the type '${said.slice(0, 100)}'`);
  }
  return { ...withoutAnnotations(descriptor, format), mediaType: mediaType ?? said };
}

function withoutAnnotations(entry: JsonObject, format: ManifestFormat): JsonObject {
  if (format === 'oci') return entry;
  return Object.fromEntries(Object.entries(entry).filter(([key]) => key !== 'annotations'));
}

function unsupported(what: string, problem: string): OperationalError {
  return new OperationalError(
    'MANIFEST_UNSUPPORTED',
    `${what} cannot be put into docker's format: it ${problem}`,
    { hint: 'leave it as it is: without --format' },
  );
}
