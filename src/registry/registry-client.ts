import type { SecureContext } from 'node:tls';

import { AskedAhead } from './asked-ahead.js';
import type { FetchedManifest } from './fetch-manifest.js';
import type { HttpTimeouts } from './http-timeouts.js';
import { LazyHttpClient } from './lazy-http.js';
import type { RegistryAccess } from './authenticator.js';
import type { FindCredentials } from './credentials.js';
import type { RegistryEndpoint } from './endpoint.js';
import { fetchFile, type FileRequest } from './fetch-file.js';
import { RateLimiter } from './rate-limit.js';
import { RegistrySession } from './registry-session.js';
import { DEFAULT_RETRIES, type RetryPolicy } from './retry.js';
import { loadTlsContext, type TlsOptions, type TlsTrust } from './tls.js';

/** What a {@link RegistryClient} works with. */
export interface RegistryClientOptions extends TlsOptions {
  readonly findCredentials?: FindCredentials;
  readonly findProxy?: (url: URL) => URL | undefined;
  readonly timeouts?: HttpTimeouts;
  readonly retries?: RetryPolicy;
  /** What all downloads together may take. */
  readonly maxBytesPerSecond?: number;
  /** Hosts that may see a registry's credentials besides its own, by registry. */
  readonly trustedRealmHosts?: ReadonlyMap<string, readonly string[]>;
}

const READING: RegistryAccess = { push: false, mountFrom: [] };

/** The hub's token server is not below its registry's name. */
const KNOWN_REALM_HOSTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['docker.io', ['auth.docker.io']],
]);

/**
 * Connections, logins and tokens for any number of repositories, for as long as one program runs.
 *
 * The parts, from the wire up: `http.ts` sends one request and knows nothing of registries; `follow-redirects.ts` follows by
 * rules; `authenticator.ts` answers challenges; `registry-session.ts` joins these for one repository and tries again;
 * `fetch-manifest.ts` and `blob-stream.ts` are what can be asked for. Which registry a name means and where its mirrors are
 * is decided before all that, in `resolve-endpoints.ts`.
 *
 * A registry is a stranger: everything it sends has a limit, nothing it says is believed (digests are computed here), and
 * where it wants berth to go next is checked before berth goes.
 */
export class RegistryClient implements AsyncDisposable {
  /** Manifests of tags. */
  readonly manifestsAhead = new AskedAhead<FetchedManifest>();
  readonly #options: RegistryClientOptions;
  readonly #http: LazyHttpClient;
  readonly #limiter: RateLimiter | undefined;
  readonly #sessions = new Map<string, RegistrySession>();
  readonly #contexts = new Map<string, Promise<SecureContext>>();

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#http = new LazyHttpClient(options.timeouts);
    const { maxBytesPerSecond } = options;
    this.#limiter =
      maxBytesPerSecond === undefined ? undefined : new RateLimiter(maxBytesPerSecond);
  }

  /** The session for an endpoint; the same one for the same endpoint. */
  session(endpoint: RegistryEndpoint, access: RegistryAccess = READING): RegistrySession {
    const key = JSON.stringify([endpoint, access]);
    let session = this.#sessions.get(key);
    if (session === undefined) {
      session = this.#createSession(endpoint, access);
      this.#sessions.set(key, session);
    }
    return session;
  }

  /**
   * Reads a file of a web server, without credentials; undefined where there is none.
   *
   * @throws as {@link fetchFile}
   */
  async fetchFile(request: FileRequest): Promise<Buffer | undefined> {
    const { findProxy, retries } = this.#options;
    return await fetchFile(request, {
      client: this.#http,
      tls: { context: () => this.#context(request.url.host, 'all'), verify: true },
      retries: retries ?? DEFAULT_RETRIES,
      findProxy: findProxy ?? (() => undefined),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  #createSession(endpoint: RegistryEndpoint, access: RegistryAccess): RegistrySession {
    const { registry, verifyTls: verify } = endpoint;
    const { findCredentials, findProxy, retries, trustedRealmHosts } = this.#options;
    return new RegistrySession(endpoint, {
      client: this.#http,
      tls: { context: () => this.#context(registry, 'all'), verify },
      firstTls: { context: () => this.#context(registry, 'own'), verify },
      access,
      limiter: this.#limiter,
      retries: retries ?? DEFAULT_RETRIES,
      findCredentials: findCredentials ?? (() => Promise.resolve(undefined)),
      findProxy: findProxy ?? (() => undefined),
      trustedRealmHosts: [
        ...(KNOWN_REALM_HOSTS.get(registry) ?? []),
        ...(trustedRealmHosts?.get(registry) ?? []),
      ],
    });
  }

  #context(registry: string, trust: TlsTrust): Promise<SecureContext> {
    const key = `${trust} ${registry}`;
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = loadTlsContext(registry, { ...this.#options, trust });
      this.#contexts.set(key, context);
    }
    return context;
  }
}
