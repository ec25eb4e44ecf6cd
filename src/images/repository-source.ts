import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestOf, type Digest } from '../oci/digest.js';
import {
  DOCKER_HUB,
  effectiveTag,
  formatReference,
  qualifyReference,
  type ImageReference,
} from '../oci/reference.js';
import type { ImageDocuments, RepositoryImages } from '../store/ostree/repository-images.js';
import type { LayerTaker } from '../store/ostree/give-layer.js';
import { openBlobStream } from '../transport/blob-stream.js';
import type {
  BlobOptions,
  BlobStream,
  ImageIdentity,
  ImageSource,
  ManifestDocument,
} from '../transport/image-source.js';
import type { PlannedLayer } from './prepare-pull.js';

/** The name under which a store files what is called so in a repository: short ones were the hub's for atomic. */
export function nameInStore(reference: ImageReference): string {
  const qualified = qualifyReference(reference, DOCKER_HUB);
  return formatReference({ ...qualified, tag: effectiveTag(qualified) });
}

/**
 * An image of an OSTree repository. Its layers are there as trees, and their archives are not: they are given to a store by
 * {@link RepositorySource.giveLayer}, and cannot be had as blobs.
 */
export class RepositorySource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly identity: ImageIdentity;
  readonly #images: RepositoryImages;
  readonly #reference: ImageReference;
  #documents: Promise<ImageDocuments> | undefined;

  /** Owns `images`. */
  constructor(images: RepositoryImages, reference: ImageReference) {
    this.#images = images;
    this.#reference = reference;
    this.name = `ostree:${formatReference(reference)}@${images.root}`;
    this.storeName = nameInStore(reference);
    const qualified = qualifyReference(reference, DOCKER_HUB);
    const { digest } = qualified;
    const tag = digest === undefined ? effectiveTag(qualified) : undefined;
    this.identity = {
      transport: 'ostree',
      path: images.root,
      reference: { ...qualified, tag },
    };
  }

  async readManifest(digest: Digest | undefined): Promise<ManifestDocument> {
    const found = await (digest === undefined ? this.#own() : this.#find(digest));
    return { bytes: found.manifestBytes, mediaType: undefined, digest: found.digest };
  }

  async openBlob(descriptor: Descriptor, { signal }: BlobOptions): Promise<BlobStream> {
    const { configBytes } = await this.#own();
    if (digestOf(configBytes) === descriptor.digest) {
      // eslint-disable-next-line @typescript-eslint/require-await -- all of it is there
      return openBlobStream(signal, async function* () {
        yield configBytes;
      });
    }
    throw noBlobs(this.name);
  }

  /**
   * Sends a layer into a sink; all of its objects are hashed again before.
   *
   * @throws OperationalError STORE_INVALID, CANCELLED; what the sink throws
   */
  giveLayer({ diffId, descriptor }: PlannedLayer, taker: LayerTaker): Promise<void> {
    return this.#images.giveLayer({ diffId, blob: descriptor.digest }, taker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#images[Symbol.asyncDispose]();
  }

  #own(): Promise<ImageDocuments> {
    this.#documents ??= this.#find(this.#reference.digest ?? this.storeName);
    return this.#documents;
  }

  async #find(nameOrDigest: string): Promise<ImageDocuments> {
    const found = await this.#images.find(nameOrDigest);
    if (found !== undefined) return found;
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no image ${quote(nameOrDigest)} in the OSTree repository ${quote(this.#images.root)}`,
    );
  }
}

/** What to throw where the blobs of an image of a repository are asked for. */
export function noBlobs(name: string): OperationalError {
  return new OperationalError(
    'MANIFEST_UNSUPPORTED',
    `${quote(name)} has the files of its layers and not their archives, which a copy needs`,
    {
      hint: "'berth pull' and 'berth install' take it over as it is, and so does 'berth copy' to ostree:NAME@/REPOSITORY; to other places copy it from its registry",
    },
  );
}
