import { escapeText, quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { HttpResponse } from './http.js';
import { isRetryable, type RegistrySession } from './registry-session.js';
import { RegistryResponseError } from './response-error.js';
import { waitBeforeRetry } from './retry.js';
import { toUserError } from './to-user-error.js';

/** What one request carries where a registry, or the proxy before it, does not take a blob at once, in bytes. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** Largest piece that a registry may ask for (OCI-Chunk-Min-Length): it is held in memory. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/** Answers that say that a request was too large, or that it has to be made in pieces. */
const TOO_LARGE = [411, 413];

/** What is known of a blob to push. */
type BlobPromise = Pick<Descriptor, 'digest' | 'size'>;

/** What {@link pushBlob} takes. */
export interface PushBlobOptions {
  readonly signal: AbortSignal;
  /** Begins the content from its start; again where a try failed. It throws in place of its end if it is not what was promised. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Bytes of a request; unlimited unless given. */
  readonly chunkBytes?: number | undefined;
}

/**
 * Whether a repository has a blob, or can mount it from another one of the same registry (distribution-spec v1.1, "Mounting a blob
 * from another repository"): then nothing is sent.
 *
 * @throws {@link OperationalError} as {@link RegistrySession.get}
 */
export async function hasBlob(
  session: RegistrySession,
  blob: BlobPromise,
  options: { readonly signal: AbortSignal; readonly mountFrom: readonly string[] },
): Promise<boolean> {
  const { signal } = options;
  const common = { accept: '*/*', doing: doingWith(session, blob), signal };
  const head = await session.get({
    ...common,
    method: 'HEAD',
    path: `/blobs/${blob.digest}`,
    ok: [200, 404],
  });
  await head.body.discard();
  if (head.status === 200) return true;
  for (const from of options.mountFrom) {
    const query = new URLSearchParams({ mount: blob.digest, from });
    const mounted = await mayMount(() =>
      session.get({
        ...common,
        method: 'POST',
        path: `/blobs/uploads/?${query.toString()}`,
        headers: { 'content-length': '0' },
        // 202: it began an upload instead, which is left to run out; the others are registries that know no mounting.
        ok: [201, 202, 400, 404, 405],
      }),
    );
    if (mounted === undefined) continue;
    await mounted.body.discard();
    if (mounted.status === 201) return true;
  }
  return false;
}

/** Not being allowed to read there is no failure: the blob is sent. */
async function mayMount(ask: () => Promise<HttpResponse>): Promise<HttpResponse | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'REGISTRY_UNAUTHORIZED')
      return undefined;
    throw error;
  }
}

/**
 * Pushes a blob, at once where the registry takes that and in pieces where it does not (distribution-spec v1.1, "Pushing blobs").
 *
 * @throws {@link OperationalError} as {@link RegistrySession.get}; what the content throws
 */
export async function pushBlob(
  session: RegistrySession,
  blob: BlobPromise,
  options: PushBlobOptions,
): Promise<void> {
  const doing = doingWith(session, blob);
  let chunkBytes = options.chunkBytes;
  for (let attempt = 1; ; attempt++) {
    const source = new WatchedSource(options.open);
    try {
      const upload = new Upload(session, blob, { ...options, doing });
      if (chunkBytes === undefined) await upload.atOnce(source);
      else await upload.inPieces(source, chunkBytes);
      return;
    } catch (error) {
      if (source.failed) throw source.failure;
      if (
        chunkBytes === undefined &&
        error instanceof RegistryResponseError &&
        TOO_LARGE.includes(error.status)
      ) {
        chunkBytes = CHUNK_BYTES;
        continue;
      }
      if (attempt >= session.retries.attempts || !isRetryable(error)) {
        throw toUserError(error, { endpoint: session.endpoint, doing });
      }
      const serverDelayMs = error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
      await waitBeforeRetry(session.retries, { attempt, serverDelayMs, signal: options.signal });
    }
  }
}

/** Content that remembers whether it was itself what failed: then the registry is not asked again, nor blamed. */
class WatchedSource implements AsyncIterable<Uint8Array> {
  failed = false;
  failure: unknown;
  readonly #open: () => AsyncIterable<Uint8Array>;

  constructor(open: () => AsyncIterable<Uint8Array>) {
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#open();
    } catch (error) {
      this.failed = true;
      this.failure = error;
      throw error;
    }
  }
}

class Upload {
  readonly #session: RegistrySession;
  readonly #blob: BlobPromise;
  readonly #common: {
    readonly accept: string;
    readonly doing: string;
    readonly signal: AbortSignal;
  };

  constructor(
    session: RegistrySession,
    blob: BlobPromise,
    { doing, signal }: { readonly doing: string; readonly signal: AbortSignal },
  ) {
    this.#session = session;
    this.#blob = blob;
    this.#common = { accept: '*/*', doing, signal };
  }

  async atOnce(source: AsyncIterable<Uint8Array>): Promise<void> {
    const { location } = await this.#begin();
    const { size } = this.#blob;
    await this.#finish(location, {
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
      body: () => source,
    });
  }

  async inPieces(source: AsyncIterable<Uint8Array>, chunkBytes: number): Promise<void> {
    const begun = await this.#begin();
    let { location } = begun;
    let offset = 0;
    for await (const piece of inChunks(source, Math.max(chunkBytes, begun.leastBytes))) {
      const response = await this.#session.getOnce({
        ...this.#common,
        method: 'PATCH',
        path: location,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(piece.length),
          'content-range': `${offset}-${offset + piece.length - 1}`,
        },
        body: () => piece,
        ok: [201, 202, 204],
      });
      offset += piece.length;
      ({ location } = await this.#readPlace(response));
    }
    await this.#finish(location, { headers: { 'content-length': '0' } });
  }

  async #begin(): Promise<{ location: URL; leastBytes: number }> {
    const response = await this.#session.getOnce({
      ...this.#common,
      method: 'POST',
      path: '/blobs/uploads/',
      headers: { 'content-length': '0' },
      ok: [202],
    });
    return await this.#readPlace(response);
  }

  async #finish(
    location: URL,
    content: {
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: () => AsyncIterable<Uint8Array> | Uint8Array;
    },
  ): Promise<void> {
    const end = new URL(location);
    end.searchParams.set('digest', this.#blob.digest);
    const response = await this.#session.getOnce({
      ...this.#common,
      ...content,
      method: 'PUT',
      path: end,
      ok: [201, 204],
    });
    await response.body.discard();
  }

  async #readPlace(response: HttpResponse): Promise<{ location: URL; leastBytes: number }> {
    await response.body.discard();
    const location = response.headers['location'];
    if (location === undefined) {
      throw new OperationalError(
        'REGISTRY_PROTOCOL',
        `${this.#common.doing}: ${quote(this.#session.endpoint.registry)} does not say where to send it`,
      );
    }
    const least = Number(response.headers['oci-chunk-min-length'] ?? 0);
    if (!(least <= MAX_CHUNK_BYTES)) {
      throw new OperationalError(
        'REGISTRY_PROTOCOL',
        `${this.#common.doing}: ${quote(this.#session.endpoint.registry)} wants pieces of ${quote(escapeText(String(least)))} bytes`,
      );
    }
    return { location: this.#session.resolveLocation(location), leastBytes: least };
  }
}

/** Pieces of exactly so many bytes; the last one may be shorter. */
async function* inChunks(
  source: AsyncIterable<Uint8Array>,
  chunkBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of source) {
    let rest = piece;
    while (bytes + rest.length >= chunkBytes) {
      const taken = chunkBytes - bytes;
      yield Buffer.concat([...parts, rest.subarray(0, taken)]);
      rest = rest.subarray(taken);
      parts = [];
      bytes = 0;
    }
    parts.push(Buffer.from(rest));
    bytes += rest.length;
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

function doingWith(session: RegistrySession, { digest }: BlobPromise): string {
  return `cannot push ${digest.slice(0, 19)}… to ${quote(session.endpoint.repository)}`;
}
