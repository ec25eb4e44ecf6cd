import { lookup } from 'node:dns/promises';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { findReach, innerReach, type AddressReach } from './address-reach.js';
import { Authenticator, type RegistryAccess } from './authenticator.js';
import type { FindCredentials } from './credentials.js';
import type { RegistryEndpoint } from './endpoint.js';
import { parseTarget, sendFollowing, type FollowedResponse } from './follow-redirects.js';
import { HttpFailure, type HttpFailureKind } from './http-failure.js';
import type { HttpRequest, HttpResponse, TlsSettings } from './http.js';
import type { HttpSender } from './lazy-http.js';
import type { RateLimiter } from './rate-limit.js';
import {
  loginHints,
  RegistryResponseError,
  toResponseError,
  type ResponseHints,
} from './response-error.js';
import { waitBeforeRetry, type RetryPolicy } from './retry.js';
import { toUserError } from './to-user-error.js';

/** Most exchanges for one request: one, and one more where the first token was just running out. */
const MAX_AUTHENTICATIONS = 2;

/** Tries at a mirror: there is another place to ask, and a mirror that is down should not cost half a minute for each layer. */
const MIRROR_ATTEMPTS = 2;

const OK = [200, 206];

/** Failures of the first scheme after which the second is tried: nobody speaks it there. A bad certificate is none of them. */
const SCHEME_NOT_SPOKEN: readonly HttpFailureKind[] = ['not-tls', 'refused', 'closed'];

/** What all sessions of one program share. */
export interface SessionOptions {
  readonly client: HttpSender;
  readonly tls: TlsSettings;
  /**
   * Tried first where http may be spoken as well: it trusts no more than `tls`, and whoever does without TLS need not wait until the
   * host's authorities are read.
   */
  readonly firstTls: TlsSettings;
  readonly retries: RetryPolicy;
  readonly findCredentials: FindCredentials;
  readonly findProxy: (url: URL) => URL | undefined;
  readonly trustedRealmHosts: readonly string[];
  readonly access: RegistryAccess;
  /** What downloads have to pass. */
  readonly limiter: RateLimiter | undefined;
}

/** A request to a registry. */
export interface SessionRequest {
  readonly method?: HttpRequest['method'];
  /** Below `/v2/REPOSITORY`: `/manifests/latest`. Or where the registry itself said to go on: the place of an upload, of a next page. */
  readonly path: string | URL;
  readonly accept: string;
  readonly range?: string;
  /** Further headers, for the registry itself. */
  readonly headers?: Readonly<Record<string, string>>;
  /** See {@link HttpRequest.lend}. */
  readonly lend?: boolean | undefined;
  /** Made anew for each try. */
  readonly body?: () => HttpRequest['body'];
  /** The answers that are none of failure; 200 and 206 unless given. */
  readonly ok?: readonly number[];
  /** What can be done about an answer that is none of `ok`. */
  readonly hints?: ResponseHints;
  /** For messages: `cannot read the manifest of 'etcd:3.5'`. */
  readonly doing: string;
  readonly signal: AbortSignal;
}

/**
 * Talks to one repository of one registry: finds the scheme, logs in when asked, follows redirects, tries again.
 */
export class RegistrySession {
  readonly endpoint: RegistryEndpoint;
  readonly retries: RetryPolicy;
  readonly limiter: RateLimiter | undefined;
  readonly #options: SessionOptions;
  readonly #authenticator: Authenticator;
  #scheme: 'https' | 'http' | undefined;
  #reach: Promise<AddressReach> | undefined;

  constructor(endpoint: RegistryEndpoint, options: SessionOptions) {
    this.endpoint = endpoint;
    const { attempts } = options.retries;
    this.retries = {
      ...options.retries,
      attempts: endpoint.isMirror === true ? Math.min(attempts, MIRROR_ATTEMPTS) : attempts,
    };
    this.limiter = options.limiter;
    this.#options = options;
    this.#authenticator = new Authenticator({
      ...options,
      endpoint,
      findReach: () => this.#findReach(),
    });
  }

  /**
   * Gives the answer if it is what was asked for; its body is the caller's to consume.
   *
   * @throws {@link RegistryResponseError} for any other answer, once trying again has not helped
   * @throws {@link OperationalError} REGISTRY_UNREACHABLE, REGISTRY_TLS, REGISTRY_TEMPORARY, REGISTRY_PROTOCOL, REGISTRY_REDIRECT, REGISTRY_UNAUTHORIZED
   */
  async get(request: SessionRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.getOnce(request);
      } catch (error) {
        if (attempt >= this.retries.attempts || !isRetryable(error)) {
          throw toUserError(error, { endpoint: this.endpoint, doing: request.doing });
        }
        const serverDelayMs =
          error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
        await waitBeforeRetry(this.retries, { attempt, serverDelayMs, signal: request.signal });
      }
    }
  }

  /** As {@link RegistrySession.get} without trying again; failures below HTTP come as {@link HttpFailure}. */
  async getOnce(request: SessionRequest): Promise<HttpResponse> {
    if (this.#scheme !== undefined) return await this.#getWith(this.#scheme, request);
    const [first, second] = this.endpoint.schemes;
    if (first === undefined) throw new Error('internal error: an endpoint without a scheme');
    if (second === undefined) return await this.#getWith(first, request);
    try {
      return await this.#getWith(first, request, this.#options.firstTls);
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      // Of the registry, or of the proxy to it.
      if (error.kind === 'certificate' || error.kind === 'proxy')
        return await this.#getWith(first, request);
      if (!SCHEME_NOT_SPOKEN.includes(error.kind) || this.#hasSpoken(first)) throw error;
      return await this.#getWith(second, request);
    }
  }

  /** Whether the registry has answered in this scheme, another request perhaps: then a failure is no reason to try another one. */
  #hasSpoken(scheme: 'https' | 'http'): boolean {
    return this.#scheme === scheme;
  }

  async #getWith(
    scheme: 'https' | 'http',
    request: SessionRequest,
    tls = this.#options.tls,
  ): Promise<HttpResponse> {
    const url = this.#urlOf(scheme, request);
    const method = request.method ?? 'GET';
    for (let authentications = 0; ; authentications++) {
      const isOwn = url.origin === this.#origin(scheme);
      const authorization = isOwn ? this.#authenticator.header() : undefined;
      const followed = await this.#send(url, { ...request, tls }, authorization);
      this.#scheme = scheme;
      const { response } = followed;
      if ((request.ok ?? OK).includes(response.status)) return response;
      const mayAnswer = isOwn && !followed.elsewhere && authentications < MAX_AUTHENTICATIONS;
      if (response.status !== 401 || !mayAnswer) {
        const { hasAccount } = this.#authenticator;
        const hints = { ...loginHints(this.endpoint.registry, { hasAccount }), ...request.hints };
        throw await toResponseError(response, {
          method,
          url: followed.url,
          authorization,
          doing: request.doing,
          // What a stranger refuses has nothing to do with an account here.
          hints: followed.elsewhere ? undefined : hints,
        });
      }
      await response.body.discard();
      await this.#authenticator.answer(response.headers['www-authenticate'], {
        origin: url,
        refused: authorization,
        signal: request.signal,
      });
    }
  }

  #send(
    url: URL,
    request: SessionRequest & { readonly tls: TlsSettings },
    authorization: string | undefined,
  ): Promise<FollowedResponse> {
    const { client, findProxy } = this.#options;
    const method = request.method ?? 'GET';
    return sendFollowing(
      client,
      {
        method,
        url,
        body: request.body?.(),
        headers: {
          ...request.headers,
          accept: request.accept,
          // A blob is hashed as it comes: nobody may compress it on the way.
          'accept-encoding': 'identity',
          'user-agent': 'berth',
          ...(request.range === undefined ? {} : { range: request.range }),
          ...(authorization === undefined ? {} : { authorization }),
        },
        tls: request.tls,
        proxy: findProxy(url),
        lend: request.lend,
        signal: request.signal,
      },
      {
        // What was sent cannot be sent again: no upload is ever redirected (distribution-spec "Pushing blobs" has Location for that).
        follow: method === 'GET' || method === 'HEAD',
        insecure: !this.endpoint.verifyTls,
        findReach: () => this.#findReach(),
        findProxy,
      },
    );
  }

  #urlOf(scheme: 'https' | 'http', request: SessionRequest): URL {
    if (request.path instanceof URL) return request.path;
    const { apiHost, repository } = this.endpoint;
    try {
      return new URL(`${scheme}://${apiHost}/v2/${repository}${request.path}`);
    } catch (cause) {
      throw new OperationalError('REFERENCE_INVALID', `${quote(apiHost)} is not a registry host`, {
        cause,
      });
    }
  }

  #origin(scheme: 'https' | 'http'): string {
    return new URL(`${scheme}://${this.endpoint.apiHost}`).origin;
  }

  /** Whether a URL is of the registry itself. */
  isOwn(url: URL): boolean {
    return url.origin === this.#origin(this.#scheme ?? 'https');
  }

  /**
   * Where the registry says to go on (`Location`, `Link`), checked as a redirect is: an upload may go to another host, without
   * credentials; nothing leads from https to http.
   *
   * @throws {@link OperationalError} REGISTRY_REDIRECT
   */
  resolveLocation(location: string): URL {
    const base = new URL(`${this.#scheme ?? 'https'}://${this.endpoint.apiHost}/`);
    return parseTarget(location, base, { insecure: !this.endpoint.verifyTls });
  }

  #findReach(): Promise<AddressReach> {
    this.#reach ??= lookUpReach(this.endpoint.apiHost);
    return this.#reach;
  }
}

/** Whether trying the same again may help. */
export function isRetryable(error: unknown): boolean {
  return (
    (error instanceof HttpFailure || error instanceof RegistryResponseError) && error.retryable
  );
}

async function lookUpReach(host: string): Promise<AddressReach> {
  const name = host.replace(/:\d+$/, '');
  const known = findReach(name);
  if (known !== undefined) return known;
  try {
    const addresses = await lookup(name, { all: true });
    return addresses
      .map(({ address }) => findReach(address) ?? 'public')
      .reduce(innerReach, 'public');
  } catch {
    return 'public'; // resolved by a proxy, if at all: what it redirects to has to be public then
  }
}
