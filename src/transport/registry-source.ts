import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { effectiveTag, formatRepository, type QualifiedReference } from '../oci/reference.js';
import { streamBlob } from '../registry/blob-stream.js';
import type { RegistryEndpoint } from '../registry/endpoint.js';
import { fetchManifest, type FetchedManifest } from '../registry/fetch-manifest.js';
import { listReferrers } from '../registry/list-referrers.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { ResolvedReference } from '../registry/resolve-endpoints.js';
import { openBlobStream } from './blob-stream.js';
import type {
  BlobOptions,
  BlobStream,
  ImageIdentity,
  ImageSource,
  ManifestDocument,
  SourceOptions,
} from './image-source.js';

/** An image of a registry, and of its mirrors. */
export class RegistrySource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly repository: { readonly registry: string; readonly repository: string };
  readonly identity: ImageIdentity;
  readonly resumes = true;
  readonly #reference: QualifiedReference;
  readonly #client: RegistryClient;
  readonly #registry: RegistryEndpoint | undefined;
  /** The place that answered last comes first, what broke down last. */
  #endpoints: readonly RegistryEndpoint[];
  /** Which places gave bytes of a blob. */
  readonly #givers = new Map<Digest, Set<RegistryEndpoint>>();

  /** @param registry Of the places, the one that is no mirror; the last unless given */
  constructor(
    resolved: ResolvedReference,
    client: RegistryClient,
    registry = resolved.endpoints.at(-1),
  ) {
    this.#reference = resolved.reference;
    this.#endpoints = resolved.endpoints;
    this.#registry = registry;
    this.#client = client;
    this.storeName = storeNameOf(resolved.reference);
    this.name = `docker://${this.storeName}`;
    this.repository = resolved.reference;
    this.identity = { transport: 'docker', reference: identityOf(resolved.reference) };
  }

  async readManifest(
    digest: Digest | undefined,
    options: SourceOptions,
  ): Promise<ManifestDocument> {
    const wanted = digest ?? this.#reference.digest;
    const asked =
      wanted === undefined ? await this.#client.manifestsAhead.take(this.storeName) : undefined;
    const found = asked ?? (await this.#fetchManifest(wanted, options));
    return { bytes: found.bytes, mediaType: found.contentType, digest: found.digest };
  }

  async askAhead(options: SourceOptions): Promise<void> {
    if (this.#reference.digest !== undefined) return;
    await this.#client.manifestsAhead.ask(this.storeName, () =>
      this.#fetchManifest(undefined, options),
    );
  }

  #fetchManifest(wanted: Digest | undefined, { signal }: SourceOptions): Promise<FetchedManifest> {
    const reference =
      wanted === undefined
        ? { tag: effectiveTag(this.#reference) ?? 'latest' }
        : { digest: wanted };
    return this.#tryEach((endpoint) =>
      fetchManifest(this.#client.session(endpoint), reference, signal),
    );
  }

  openBlob(descriptor: Descriptor, { signal, ...how }: BlobOptions): Promise<BlobStream> {
    return Promise.resolve(
      openBlobStream(signal, (stop) => this.#streamBlob(descriptor, { signal: stop, ...how })),
    );
  }

  /** A mirror often has images alone: that it has nothing else says nothing, where the registry itself may have some. */
  async listReferrers(digest: Digest, { signal }: SourceOptions): Promise<readonly Descriptor[]> {
    const isDone = (found: readonly Descriptor[], endpoint: RegistryEndpoint): boolean =>
      found.length > 0 || this.#registry === undefined || endpoint === this.#registry;
    const nothing = new OperationalError(
      'REGISTRY_NOT_FOUND',
      `a mirror lists nothing that refers to ${digest}`,
    );
    return await this.#tryEach(async (endpoint) => {
      const found = await listReferrers(this.#client.session(endpoint), digest, signal);
      if (isDone(found, endpoint)) return found;
      throw nothing;
    });
  }

  openTag(tag: string): ImageSource {
    const reference = { ...this.#reference, tag, digest: undefined };
    return new RegistrySource(
      { reference, endpoints: this.#endpoints },
      this.#client,
      this.#registry,
    );
  }

  rejectBlob({ digest }: Descriptor): boolean {
    const givers = this.#givers.get(digest);
    const others = this.#endpoints.filter((endpoint) => givers?.has(endpoint) !== true);
    this.#givers.delete(digest);
    if (others.length === 0 || givers === undefined) return false;
    this.#endpoints = others;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The connections are the client's, which serves other sources too.
  }

  /** Goes on at the next place where one breaks off: the consumer's hash runs over all of it. */
  async *#streamBlob(
    descriptor: Descriptor,
    { signal, lend, offset = 0 }: BlobOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const failures = new Map<RegistryEndpoint, OperationalError>();
    const givers = new Set<RegistryEndpoint>();
    this.#givers.set(descriptor.digest, givers);
    for (const endpoint of this.#endpoints) {
      try {
        const session = this.#client.session(endpoint);
        for await (const chunk of streamBlob(session, descriptor, { signal, offset, lend })) {
          offset += chunk.length;
          givers.add(endpoint);
          yield chunk;
        }
        return;
      } catch (error) {
        if (!(error instanceof OperationalError) || signal.aborted) throw error;
        failures.set(endpoint, error);
        // Down for this layer is down for the next ones, too; having no such blob says nothing of others.
        if (error.code !== 'REGISTRY_NOT_FOUND') this.#endpoints = last(this.#endpoints, endpoint);
      }
    }
    throw this.#verdict(failures);
  }

  async #tryEach<T>(ask: (endpoint: RegistryEndpoint) => Promise<T>): Promise<T> {
    const failures = new Map<RegistryEndpoint, OperationalError>();
    for (const endpoint of this.#endpoints) {
      try {
        const answer = await ask(endpoint);
        this.#endpoints = [endpoint, ...this.#endpoints.filter((other) => other !== endpoint)];
        return answer;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        failures.set(endpoint, error);
      }
    }
    throw this.#verdict(failures);
  }

  /** What the registry itself says is what counts; what mirrors said goes with it. */
  #verdict(failures: ReadonlyMap<RegistryEndpoint, OperationalError>): unknown {
    const own = this.#registry === undefined ? undefined : failures.get(this.#registry);
    const verdict = own ?? [...failures.values()].at(-1);
    verdict?.suppressed.push(...[...failures.values()].filter((error) => error !== verdict));
    return verdict;
  }
}

function last(
  endpoints: readonly RegistryEndpoint[],
  down: RegistryEndpoint,
): readonly RegistryEndpoint[] {
  return [...endpoints.filter((endpoint) => endpoint !== down), down];
}

/** With a tag or a digest, never both: the digest decides. */
function identityOf(reference: QualifiedReference): QualifiedReference {
  return reference.digest === undefined
    ? { ...reference, tag: effectiveTag(reference) }
    : { ...reference, tag: undefined };
}

/** A reference with a digest is filed without its tag: nobody has checked that the tag means this digest. */
function storeNameOf(reference: QualifiedReference): string {
  const name = formatRepository(reference);
  return reference.digest === undefined
    ? `${name}:${effectiveTag(reference) ?? 'latest'}`
    : `${name}@${reference.digest}`;
}
