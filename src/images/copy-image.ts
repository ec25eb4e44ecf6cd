import { prepareForFlows } from '../base/engine-flags.js';
import { quote } from '../base/escape-text.js';
import { addContext } from '../errors/with-context.js';
import { OperationalError } from '../errors/operational-error.js';
import { ContentMismatchError } from '../oci/content-mismatch-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import {
  convertManifest,
  formatOf,
  type ConvertedManifest,
  type ManifestFormat,
} from '../oci/convert-manifest.js';
import type { Digest } from '../oci/digest.js';
import { listReferences } from '../oci/list-references.js';
import { MAX_MANIFEST_BYTES } from '../oci/parse-manifest.js';
import type { Platform } from '../oci/platform.js';
import { verifyContent } from '../oci/verify-content.js';
import { createThreadedHash } from '../sys/threaded-hash.js';
import type { ImageDestination } from '../transport/image-destination.js';
import type { BlobOptions, ImageSource, ManifestDocument } from '../transport/image-source.js';
import { noBlobs, RepositorySource } from './repository-source.js';
import { resolveManifest } from './resolve-manifest.js';
import { runSideBySide } from './run-side-by-side.js';

/** Deepest nesting of indexes, as for pulling. */
const MAX_INDEX_DEPTH = 6;

/** Most manifests of one copy: every platform of every attestation of the largest indexes in use are some hundred. */
const MAX_MANIFESTS = 1024;

/** Most bytes of manifests of one copy: all of them are kept until the blobs are there. */
const MAX_MANIFEST_TOTAL = 16 * MAX_MANIFEST_BYTES;

/** What {@link copyImage} takes. */
export interface CopyOptions {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  /** The image for this platform; or undefined: all of an index, attestations included. */
  readonly platform: Platform | undefined;
  /** Refuse a destination that cannot hold the manifest as it is. */
  readonly preserveDigests: boolean;
  /** The format that manifests are put into; what the destination takes unless given. */
  readonly format?: ManifestFormat | undefined;
  /** Blobs side by side; what the destination likes unless given. */
  readonly parallel?: number | undefined;
  /** Gets each manifest and index, before anything in it is believed; may throw. Undefined: everything is taken. */
  readonly accept?: ((document: ManifestDocument, isTop: boolean) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** What happens to a blob. */
export interface CopyProgress {
  readonly blob: Descriptor;
  /** `present`: it is there already; `copying`: bytes go over; `done`. */
  readonly phase: 'present' | 'copying' | 'done';
  readonly bytes: number;
}

/** What a copy did. */
export interface CopyResult {
  /** Of the manifest or index that the destination's name means. */
  readonly digest: Digest;
  readonly manifests: number;
  readonly blobs: number;
  readonly copiedBlobs: number;
  readonly copiedBytes: number;
}

/**
 * Copies an image as it is, where the destination takes that: manifests byte for byte, blobs verified while they flow from one end
 * to the other. Nothing is kept in between. What the destination has is not sent again. A destination that takes manifests of one
 * format only gets them in that.
 *
 * @throws {@link OperationalError} what source and destination give rise to
 */
export async function copyImage(options: CopyOptions): Promise<CopyResult> {
  const { source, destination, signal } = options;
  refuseImpossible(options);
  const manifests = convertAll(await collectManifests(options), options);
  const blobs = new Map<Digest, Descriptor>();
  for (const { references } of manifests) {
    for (const blob of references.blobs) blobs.set(blob.digest, blob);
  }
  let copiedBlobs = 0;
  let copiedBytes = 0;
  const parallel = Math.min(options.parallel ?? Infinity, destination.maxParallel);
  prepareForFlows();
  await runSideBySide([...blobs.values()], { signal, parallel }, async (blob, stop) => {
    if (!(await copyBlob(blob, { ...options, signal: stop }))) return;
    copiedBlobs += 1;
    copiedBytes += blob.size;
  });
  // What an index lists stands before it.
  for (const [index, { document, references }] of manifests.entries()) {
    const isTop = index === manifests.length - 1;
    const { bytes, digest } = document;
    const { mediaType } = references;
    await destination.putManifest({ bytes, mediaType, digest, isTop }, { signal });
  }
  await destination.commit({ signal });
  const top = manifests.at(-1);
  if (top === undefined) throw new Error(`internal error: ${source.name} has no manifest`);
  return {
    digest: top.document.digest,
    manifests: manifests.length,
    blobs: blobs.size,
    copiedBlobs,
    copiedBytes,
  };
}

function refuseImpossible(options: CopyOptions): void {
  const { source, destination, platform, preserveDigests } = options;
  if (source instanceof RepositorySource) throw noBlobs(source.name);
  if (platform === undefined && !destination.takesIndex) {
    throw new OperationalError(
      'MANIFEST_UNSUPPORTED',
      `${quote(destination.name)} takes the image of one platform, not all of them`,
    );
  }
  if (preserveDigests && !destination.keepsManifests) {
    throw new OperationalError(
      'MANIFEST_UNSUPPORTED',
      `${quote(destination.name)} does not keep manifests, so that digests cannot be preserved`,
    );
  }
}

/** Manifests in the format that is wanted. What an index lists stands before it, so that it can name what that has become. */
function convertAll(
  manifests: readonly CollectedManifest[],
  options: CopyOptions,
): readonly CollectedManifest[] {
  const { source, destination, preserveDigests } = options;
  const format = options.format ?? destination.onlyFormat;
  if (destination.onlyFormat !== undefined && format !== destination.onlyFormat) {
    throw new OperationalError(
      'MANIFEST_UNSUPPORTED',
      `${quote(destination.name)} takes manifests in the format ${destination.onlyFormat} only`,
    );
  }
  if (format === undefined) return manifests;
  const converted = new Map<string, ConvertedManifest>();
  return manifests.map((manifest) => {
    const { document, references } = manifest;
    const found = convertManifest(
      { bytes: document.bytes, mediaType: references.mediaType },
      { format, what: whatOf(source), converted },
    );
    converted.set(document.digest, found);
    if (found.bytes === document.bytes) return manifest;
    if (preserveDigests) {
      throw new OperationalError(
        'MANIFEST_UNSUPPORTED',
        `${quote(destination.name)} takes manifests in the format ${format}, and ${quote(source.name)} has one in the format ${formatOf(references.mediaType)}: digests cannot be preserved`,
      );
    }
    return { document: found, references: { ...references, mediaType: found.mediaType } };
  });
}

interface CollectedManifest {
  readonly document: ManifestDocument;
  readonly references: ReturnType<typeof listReferences>;
}

/** The manifests to copy, each once, those that an index lists before it. */
async function collectManifests(options: CopyOptions): Promise<readonly CollectedManifest[]> {
  const { source, platform, accept, signal } = options;
  if (platform !== undefined) {
    const { bytes, digest, manifest } = await resolveManifest(source, { platform, accept, signal });
    const { mediaType } = manifest;
    const references = listReferences(bytes, { what: whatOf(source), contentType: mediaType });
    return [{ document: { bytes, digest, mediaType }, references }];
  }
  const collection = new ManifestCollection(options);
  await collection.add(await source.readManifest(undefined, { signal }), 0);
  return collection.manifests;
}

class ManifestCollection {
  readonly manifests: CollectedManifest[] = [];
  readonly #source: ImageSource;
  readonly #signal: AbortSignal;
  readonly #accept: CopyOptions['accept'];
  readonly #seen = new Set<Digest>();
  #bytes = 0;

  constructor({ source, accept, signal }: CopyOptions) {
    this.#source = source;
    this.#signal = signal;
    this.#accept = accept;
  }

  async add(document: ManifestDocument, depth: number): Promise<void> {
    this.#seen.add(document.digest);
    this.#bytes += document.bytes.length;
    if (this.#seen.size > MAX_MANIFESTS || this.#bytes > MAX_MANIFEST_TOTAL) {
      throw this.#invalid(`leads to more than ${MAX_MANIFESTS} manifests, or too large ones`);
    }
    if (depth > MAX_INDEX_DEPTH) {
      throw this.#invalid(`nests indexes deeper than ${MAX_INDEX_DEPTH} levels`);
    }
    await this.#accept?.(document, depth === 0);
    const what = whatOf(this.#source);
    const references = listReferences(document.bytes, { what, contentType: document.mediaType });
    for (const entry of references.manifests) {
      if (this.#seen.has(entry.digest)) continue;
      const found = await this.#source.readManifest(entry.digest, { signal: this.#signal });
      if (found.bytes.length !== entry.size) {
        throw new ContentMismatchError(entry, { bytesRead: found.bytes.length });
      }
      // A layout does not say what a document is: the index that led to it does.
      await this.add({ ...found, mediaType: found.mediaType ?? entry.mediaType }, depth + 1);
    }
    this.manifests.push({ document, references });
  }

  #invalid(problem: string): OperationalError {
    return new OperationalError('MANIFEST_INVALID', `${whatOf(this.#source)} ${problem}`);
  }
}

function whatOf(source: ImageSource): string {
  return `the manifest of ${quote(source.name)}`;
}

/** Copies one blob; false if it was there. */
async function copyBlob(blob: Descriptor, options: CopyOptions): Promise<boolean> {
  const { source, destination, signal, onProgress } = options;
  try {
    if (await destination.hasBlob(blob, { signal })) {
      onProgress?.({ blob, phase: 'present', bytes: blob.size });
      return false;
    }
    await destination.putBlob(blob, (how) => readBlob(blob, { ...options, ...how }), { signal });
  } catch (error) {
    throw addContext(
      `cannot copy ${blob.digest.slice(0, 19)}… of ${quote(source.name)} to ${quote(destination.name)}`,
      error,
    );
  }
  onProgress?.({ blob, phase: 'done', bytes: blob.size });
  return true;
}

async function* readBlob(
  blob: Descriptor,
  { source, signal, onProgress, lend }: CopyOptions & Pick<BlobOptions, 'lend'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (blob.data !== undefined) {
    yield blob.data;
    return;
  }
  await using stream = await source.openBlob(blob, { signal, lend });
  let bytes = 0;
  for await (const piece of verifyContent(stream, blob, createThreadedHash)) {
    bytes += piece.length;
    onProgress?.({ blob, phase: 'copying', bytes });
    yield piece;
  }
}
