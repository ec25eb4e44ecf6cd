import type { ManifestFormat } from '../oci/convert-manifest.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { BlobOptions } from './image-source.js';

/**
 * Where an image goes: the other side of an `ImageSource`. Blobs come first, then the manifests that name them, then the
 * one that the image's name means. Nothing carries that name before {@link ImageDestination.commit} has returned; what is
 * disposed of without it leaves nothing but blobs that nobody names.
 */
export interface ImageDestination extends AsyncDisposable {
  /** For messages: `oci:/media/usb:3.5`. */
  readonly name: string;
  /** How many blobs it takes at a time; archives are written one after the other. */
  readonly maxParallel: number;
  /** Whether it can hold an index with its manifests. */
  readonly takesIndex: boolean;
  /** Whether manifests stay as they are, byte for byte. docker's archives have a list of their own in place of them. */
  readonly keepsManifests: boolean;

  /** The one format of manifests that it may hold, if it is one: OCI layouts are of OCI documents (image-spec v1.1 image-layout.md). */
  readonly onlyFormat?: ManifestFormat;

  /** Whether it has the blob already, or can have it from `from` without its being sent. */
  hasBlob(blob: Descriptor, options: PutOptions): Promise<boolean>;

  /** Takes a blob. The content throws in place of its end if it is not what was promised: then nothing of it stays. */
  putBlob(blob: Descriptor, content: BlobContent, options: PutOptions): Promise<void>;

  /** Takes a manifest or index whose blobs and manifests are there. The one that `isTop` is what the name will mean. */
  putManifest(manifest: PutManifest, options: PutOptions): Promise<void>;

  /** Makes the image visible under its name, and durable. */
  commit(options: PutOptions): Promise<void>;
}

/** A repository of a registry that has a blob. */
export interface BlobOrigin {
  /** `HOST[:PORT]`. */
  readonly registry: string;
  readonly repository: string;
}

/** A manifest as it goes into a destination. */
export interface PutManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly isTop: boolean;
}

/** Content that can be begun again: a registry may break off in the middle. See {@link BlobOptions.lend}. */
export type BlobContent = (options?: Pick<BlobOptions, 'lend'>) => AsyncIterable<Uint8Array>;

/** Options of every call that waits. */
export interface PutOptions {
  readonly signal: AbortSignal;
}
