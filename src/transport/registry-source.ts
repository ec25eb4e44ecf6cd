import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { effectiveTag, formatRepository, type QualifiedReference } from '../oci/reference.js';
import { streamBlob } from '../registry/blob-stream.js';
import type { RegistryEndpoint } from '../registry/endpoint.js';
import { fetchManifest } from '../registry/fetch-manifest.js';
import { listReferrers } from '../registry/list-referrers.js';
import type { RegistryClient } from '../registry/registry-client.js';
import type { ResolvedReference } from '../registry/resolve-endpoints.js';
import { openBlobStream } from './blob-stream.js';
import type { BlobStream, ImageSource, ManifestDocument, SourceOptions } from './image-source.js';

/** An image of a registry, and of its mirrors. */
export class RegistrySource implements ImageSource {
  readonly name: string;
  readonly storeName: string;
  readonly repository: { readonly registry: string; readonly repository: string };
  readonly #reference: QualifiedReference;
  readonly #client: RegistryClient;
  /** The place that answered last comes first. */
  #endpoints: readonly RegistryEndpoint[];
  /** Which places gave bytes of a blob. */
  readonly #givers = new Map<Digest, Set<RegistryEndpoint>>();

  constructor(resolved: ResolvedReference, client: RegistryClient) {
    this.#reference = resolved.reference;
    this.#endpoints = resolved.endpoints;
    this.#client = client;
    this.storeName = storeNameOf(resolved.reference);
    this.name = `docker://${this.storeName}`;
    this.repository = resolved.reference;
  }

  async readManifest(
    digest: Digest | undefined,
    options: SourceOptions,
  ): Promise<ManifestDocument> {
    const wanted = digest ?? this.#reference.digest;
    const reference =
      wanted === undefined
        ? { tag: effectiveTag(this.#reference) ?? 'latest' }
        : { digest: wanted };
    const {
      bytes,
      contentType,
      digest: found,
    } = await this.#tryEach(async (endpoint) =>
      fetchManifest(await this.#client.session(endpoint), reference, options.signal),
    );
    return { bytes, mediaType: contentType, digest: found };
  }

  openBlob(descriptor: Descriptor, options: SourceOptions): Promise<BlobStream> {
    return Promise.resolve(
      openBlobStream(options.signal, (signal) => this.#streamBlob(descriptor, signal)),
    );
  }

  listReferrers(digest: Digest, options: SourceOptions): Promise<readonly Descriptor[]> {
    return this.#tryEach(async (endpoint) =>
      listReferrers(await this.#client.session(endpoint), digest, options.signal),
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
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let offset = 0;
    const failures: unknown[] = [];
    const givers = new Set<RegistryEndpoint>();
    this.#givers.set(descriptor.digest, givers);
    for (const endpoint of this.#endpoints) {
      try {
        const session = await this.#client.session(endpoint);
        for await (const chunk of streamBlob(session, descriptor, { signal, offset })) {
          offset += chunk.length;
          givers.add(endpoint);
          yield chunk;
        }
        return;
      } catch (error) {
        if (!mayAskElsewhere(error, signal)) throw error;
        failures.push(error);
      }
    }
    throw lastOf(failures);
  }

  async #tryEach<T>(ask: (endpoint: RegistryEndpoint) => Promise<T>): Promise<T> {
    const failures: unknown[] = [];
    for (const endpoint of this.#endpoints) {
      try {
        const answer = await ask(endpoint);
        this.#endpoints = [endpoint, ...this.#endpoints.filter((other) => other !== endpoint)];
        return answer;
      } catch (error) {
        if (!(error instanceof OperationalError)) throw error;
        failures.push(error);
      }
    }
    throw lastOf(failures);
  }
}

/** A reference with a digest is filed without its tag: nobody has checked that the tag means this digest. */
function storeNameOf(reference: QualifiedReference): string {
  const name = formatRepository(reference);
  return reference.digest === undefined
    ? `${name}:${effectiveTag(reference) ?? 'latest'}`
    : `${name}@${reference.digest}`;
}

function mayAskElsewhere(error: unknown, signal: AbortSignal): boolean {
  return error instanceof OperationalError && !signal.aborted;
}

/** The registry itself is asked last, and its answer is what counts; what mirrors said goes with it. */
function lastOf(failures: unknown[]): unknown {
  const last = failures.pop();
  if (last instanceof OperationalError) last.suppressed.push(...failures);
  return last;
}
