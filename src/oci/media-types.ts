import { lookUp } from '../base/look-up.js';

/** Media types of image-spec v1.1 (media-types.md) and of Docker's schema 2, and what berth makes of them. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
/** An OCI index. */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
/** A Docker schema 2 manifest. */
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
/** A Docker manifest list: the same shape as an OCI index. */
export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** What is asked for; order is preference, for servers that convert. */
export const ACCEPTED_MANIFEST_TYPES = [
  OCI_MANIFEST,
  OCI_INDEX,
  DOCKER_MANIFEST,
  DOCKER_MANIFEST_LIST,
] as const;

const SCHEMA_1_TYPES = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

const CONFIG_TYPES = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];

/** How the bytes of a layer are compressed. */
export type LayerCompression = 'none' | 'gzip' | 'zstd';

const LAYER_COMPRESSION: Readonly<Record<string, LayerCompression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.oci.image.layer.nondistributable.v1.tar': 'none',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'gzip',
};

/** Whether a media type names an image manifest. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

/** Whether a media type names an index or manifest list. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_MANIFEST_LIST;
}

/** Whether a media type names Docker's first schema, signed or not. */
export function isSchema1Type(mediaType: string): boolean {
  return SCHEMA_1_TYPES.includes(mediaType);
}

/** Whether a media type names the configuration of a container image (and not a chart, an artifact, an attestation). */
export function isImageConfigType(mediaType: string): boolean {
  return CONFIG_TYPES.includes(mediaType);
}

/** How a layer of this type is compressed; undefined for what is not a layer that berth takes. */
export function findLayerCompression(mediaType: string): LayerCompression | undefined {
  return lookUp(LAYER_COMPRESSION, mediaType);
}

/** A media type without its parameters, in lower case: `application/json; charset=utf-8` → `application/json`. */
export function bareMediaType(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}
