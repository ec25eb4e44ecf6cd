import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { effectiveTag, formatReference } from '../oci/reference.js';
import type { RegistryEndpoint } from '../registry/endpoint.js';
import { hasBlob, pushBlob } from '../registry/push-blob.js';
import { pushManifest } from '../registry/push-manifest.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { RegistrySession } from '../registry/registry-session.js';
import type { ResolvedReference } from '../registry/resolve-endpoints.js';
import type {
  BlobContent,
  BlobOrigin,
  ImageDestination,
  PutManifest,
  PutOptions,
} from './image-destination.js';

/** Blobs that are pushed side by side unless the user says else. */
const MAX_PARALLEL = 6;

/** An image of a registry, being pushed. */
export class RegistryDestination implements ImageDestination {
  readonly name: string;
  readonly maxParallel = MAX_PARALLEL;
  readonly takesIndex = true;
  readonly keepsManifests = true;
  readonly #client: RegistryClient;
  readonly #endpoint: RegistryEndpoint;
  readonly #reference: ResolvedReference['reference'];
  readonly #mountFrom: readonly string[];
  #top: PutManifest | undefined;

  /** `from` is where the image comes from, if that is a registry: what lies there is not sent through this host. */
  constructor(
    { reference, endpoints }: ResolvedReference,
    client: RegistryClient,
    from: BlobOrigin | undefined,
  ) {
    // The last one is the registry itself: mirrors are for reading.
    const endpoint = endpoints.at(-1);
    if (endpoint === undefined) throw new Error('internal error: a reference without a place');
    this.#endpoint = endpoint;
    this.#client = client;
    this.#reference = reference;
    this.#mountFrom =
      from?.registry === endpoint.registry && from.repository !== endpoint.repository
        ? [from.repository]
        : [];
    this.name = `docker://${formatReference(reference)}`;
  }

  async hasBlob(blob: Descriptor, { signal }: PutOptions): Promise<boolean> {
    return await hasBlob(this.#session(), blob, { signal, mountFrom: this.#mountFrom });
  }

  async putBlob(blob: Descriptor, content: BlobContent, { signal }: PutOptions): Promise<void> {
    await pushBlob(this.#session(), blob, { signal, open: content });
  }

  async putManifest(manifest: PutManifest, { signal }: PutOptions): Promise<void> {
    if (manifest.isTop) {
      this.#top = manifest;
      return;
    }
    await pushManifest(this.#session(), manifest, { reference: manifest.digest, signal });
  }

  async commit({ signal }: PutOptions): Promise<void> {
    if (this.#top === undefined) throw new Error('internal error: an image without a manifest');
    const { digest } = this.#reference;
    if (digest !== undefined && digest !== this.#top.digest) {
      throw new OperationalError(
        'CONTENT_MISMATCH',
        `the image is ${this.#top.digest}, and its destination is named ${digest}`,
      );
    }
    const reference = effectiveTag(this.#reference) ?? this.#top.digest;
    await pushManifest(this.#session(), this.#top, { reference, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Blobs that no manifest names are the registry's to collect.
  }

  #session(): RegistrySession {
    return this.#client.session(this.#endpoint, { push: true, mountFrom: this.#mountFrom });
  }
}
