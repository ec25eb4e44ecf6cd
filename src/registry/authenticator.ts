import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { AddressReach } from './address-reach.js';
import { parseChallenges, type Challenge } from './challenge.js';
import type { FindCredentials } from './credentials.js';
import type { RegistryEndpoint } from './endpoint.js';
import { forbidCoreDumps } from './forbid-core-dumps.js';
import type { TlsSettings } from './http.js';
import type { HttpSender } from './lazy-http.js';
import { basicHeader, fetchToken, type BearerToken } from './token.js';

/** What is to be done at a registry, and so what tokens are asked for. */
export interface RegistryAccess {
  /** Whether the repository is written to. */
  readonly push: boolean;
  /** Other repositories there that are read: blobs are mounted from them. */
  readonly mountFrom: readonly string[];
}

/** What an {@link Authenticator} works with. */
export interface AuthenticatorOptions {
  readonly access: RegistryAccess;
  readonly client: HttpSender;
  readonly endpoint: RegistryEndpoint;
  readonly tls: TlsSettings;
  readonly findCredentials: FindCredentials;
  readonly findReach: () => Promise<AddressReach>;
  readonly findProxy: (url: URL) => URL | undefined;
  readonly trustedRealmHosts: readonly string[];
}

/**
 * The `Authorization` for one repository of one registry: nothing until the registry asks, then what it asked for. Requests
 * that are challenged at the same time share one exchange.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  #basic: string | undefined;
  #token: BearerToken | undefined;
  #exchange: Promise<void> | undefined;
  #hasAccount = false;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** Whether the registry asked and there was an account to answer with. */
  get hasAccount(): boolean {
    return this.#hasAccount;
  }

  /** The header to send, or undefined while none was asked for or the token has run out. */
  header(): string | undefined {
    if (this.#token !== undefined && performance.now() < this.#token.expiresAtMs) {
      return `Bearer ${this.#token.token}`;
    }
    return this.#basic;
  }

  /**
   * Answers a 401: afterwards {@link Authenticator.header} gives what to send.
   *
   * @throws {@link OperationalError} REGISTRY_UNAUTHORIZED if there is nothing to answer with
   */
  async answer(
    challengeHeader: string | undefined,
    asked: {
      readonly origin: URL;
      readonly refused: string | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    // Another request may have got a token while this one was under way: it is tried before a further exchange.
    if (this.header() !== asked.refused && this.header() !== undefined) return;
    this.#exchange ??= this.#run(challengeHeader, asked).finally(() => {
      this.#exchange = undefined;
    });
    await this.#exchange;
  }

  async #run(
    challengeHeader: string | undefined,
    asked: { readonly origin: URL; readonly signal: AbortSignal },
  ): Promise<void> {
    const { endpoint, client } = this.#options;
    const challenges = parseChallenges(challengeHeader ?? '');
    const credentials = await this.#options.findCredentials(endpoint);
    this.#hasAccount = credentials !== undefined;
    if (credentials !== undefined) forbidCoreDumps();
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      this.#token = await fetchToken(client, bearer, {
        ...this.#options,
        registryOrigin: asked.origin,
        registry: endpoint.registry,
        scopes: scopesFor(endpoint, this.#options.access, bearer),
        credentials,
        reach: await this.#options.findReach(),
        signal: asked.signal,
      });
      return;
    }
    const basic = challenges.some(({ scheme }) => scheme === 'basic');
    if (!basic) {
      const offered = challenges.map(({ scheme }) => scheme).join(', ');
      throw new OperationalError(
        'REGISTRY_UNAUTHORIZED',
        `${quote(endpoint.registry)} wants a login by ${offered === '' ? 'an unnamed scheme' : quote(offered)}, which berth does not speak`,
      );
    }
    if (credentials?.kind !== 'password') {
      throw new OperationalError(
        'REGISTRY_UNAUTHORIZED',
        `${quote(endpoint.registry)} wants a user name and password, and there is none for ${quote([endpoint.registry, endpoint.repository].filter((part) => part !== '').join('/'))}`,
        { hint: `'berth login -u NAME ${endpoint.registry}'` },
      );
    }
    this.#basic = basicHeader(credentials);
  }
}

/**
 * What to ask the token server for: reading this repository, and writing it where that is to be done. A scope in the challenge
 * counts only if it reads, too: a registry must not get a token out of berth that may write elsewhere.
 */
function scopesFor(
  endpoint: RegistryEndpoint,
  { push, mountFrom }: RegistryAccess,
  challenge: Challenge,
): readonly string[] {
  if (endpoint.repository === '') return []; // logging in: no repository is meant
  if (push) {
    return [
      `repository:${endpoint.repository}:pull,push`,
      ...mountFrom.map((repository) => `repository:${repository}:pull`),
    ];
  }
  const own = `repository:${endpoint.repository}:pull`;
  const theirs = challenge.parameters.get('scope') ?? '';
  return /^repository(\([a-z]+\))?:[a-z0-9][a-z0-9._/-]{0,254}:pull$/.test(theirs) && theirs !== own
    ? [own, theirs]
    : [own];
}
