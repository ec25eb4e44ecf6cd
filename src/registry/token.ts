import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { AddressReach } from './address-reach.js';
import type { Challenge } from './challenge.js';
import type { Credentials } from './credentials.js';
import type { TlsSettings } from './http.js';
import type { HttpSender } from './lazy-http.js';
import { readBounded } from './read-bounded.js';
import { loginHints, toResponseError } from './response-error.js';

/** Largest answer of a token server in bytes; tokens with many groups in them reach some ten KiB. */
const MAX_TOKEN_BODY_BYTES = 1024 * 1024;

/** Longest token: it has to fit into a header with room to spare. */
const MAX_TOKEN_CHARACTERS = 16 * 1024;

/** How long a token holds if its server does not say (distribution "Token Authentication": at least 60 seconds). */
const DEFAULT_LIFETIME_SECONDS = 60;

/** A token, and how long it may be used. */
export interface BearerToken {
  readonly token: string;
  /** Milliseconds of the monotonic clock (`performance.now()`): a wrong or jumping wall clock must not matter. */
  readonly expiresAtMs: number;
}

/** Everything about the exchange but the challenge. */
export interface TokenRequest {
  readonly registryOrigin: URL;
  /** As people write it. */
  readonly registry: string;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  readonly tls: TlsSettings;
  readonly reach: AddressReach;
  readonly findProxy: (url: URL) => URL | undefined;
  /** Further hosts that may see the credentials of this registry, by configuration. */
  readonly trustedRealmHosts: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Gets a token for a Bearer challenge (the distribution project's token and OAuth2 protocols). Credentials go only to a token
 * server of the same owner as the registry: a registry that names someone else's would collect them (CVE-2026-48978).
 *
 * @throws {@link OperationalError} REGISTRY_UNAUTHORIZED, REGISTRY_PROTOCOL, REGISTRY_REDIRECT; HttpFailure
 */
export async function fetchToken(
  client: HttpSender,
  challenge: Challenge,
  asked: TokenRequest,
): Promise<BearerToken> {
  const { credentials, registryOrigin } = asked;
  const realm = parseRealm(challenge, asked);
  if (credentials !== undefined && !isRealmOfRegistry(realm, asked)) {
    throw new OperationalError(
      'REGISTRY_UNAUTHORIZED',
      `${quote(registryOrigin.host)} sends its users to ${quote(realm.host)} to log in, refusing to show your credentials there`,
      {
        hint: `credentials go to the registry's own host and to hosts above or below its name; if you know this one to be its token server, add "${asked.registry}=${realm.hostname}" to trusted-realm-hosts in /etc/berth/berth.conf`,
      },
    );
  }
  const service = challenge.parameters.get('service');
  const fields = new URLSearchParams();
  if (service !== undefined) fields.set('service', service);
  const refresh = credentials?.kind === 'refresh-token';
  if (refresh) {
    fields.set('grant_type', 'refresh_token');
    fields.set('client_id', 'berth');
    fields.set('refresh_token', credentials.token);
    fields.set('scope', asked.scopes.join(' '));
  } else {
    for (const scope of asked.scopes) fields.append('scope', scope);
    for (const [name, value] of fields) realm.searchParams.append(name, value);
  }
  const method = refresh ? 'POST' : 'GET';
  const authorization = credentials?.kind === 'password' ? basicHeader(credentials) : undefined;
  const response = await client.send({
    method,
    url: realm,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'berth',
      ...(refresh ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: refresh ? fields.toString() : undefined,
    tls: asked.tls,
    reach: realm.hostname === registryOrigin.hostname ? undefined : asked.reach,
    proxy: asked.findProxy(realm),
    signal: asked.signal,
  });
  const doing = `cannot get a token for ${quote(asked.scopes.join(' '))}`;
  if (response.status !== 200) {
    const hints = loginHints(asked.registry, { hasAccount: credentials !== undefined });
    const body = refresh ? credentials.token : undefined;
    throw await toResponseError(response, {
      ...{ method, url: realm, authorization, body },
      ...{ doing, hints },
    });
  }
  return parseToken(await readBounded(response.body, MAX_TOKEN_BODY_BYTES));
}

/** `Basic …` of RFC 7617, in UTF-8. */
export function basicHeader(credentials: Credentials & { readonly kind: 'password' }): string {
  const pair = `${credentials.username}:${credentials.password}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function parseRealm(challenge: Challenge, { registryOrigin }: TokenRequest): URL {
  const text = challenge.parameters.get('realm') ?? '';
  let realm: URL;
  try {
    realm = new URL(text);
  } catch (cause) {
    throw new OperationalError(
      'REGISTRY_PROTOCOL',
      `${quote(registryOrigin.host)} names ${quote(text)} as its token server, which is not a URL`,
      { cause },
    );
  }
  const secure = realm.protocol === 'https:';
  const plain = realm.protocol === 'http:' && registryOrigin.protocol === 'http:';
  if ((!secure && !plain) || realm.username !== '' || realm.password !== '') {
    throw new OperationalError(
      'REGISTRY_REDIRECT',
      `${quote(registryOrigin.host)} names ${quote(`${realm.protocol}//${realm.host}`)} as its token server, refusing to go there`,
    );
  }
  realm.hash = '';
  return realm;
}

/**
 * The same host, one below it, one above it, or one that is known or configured. Siblings below one parent do not count: at
 * azurecr.io, amazonaws.com or co.uk these are strangers to each other.
 */
function isRealmOfRegistry(realm: URL, asked: TokenRequest): boolean {
  const host = asked.registryOrigin.hostname;
  const other = realm.hostname;
  if (other === host) return true;
  if (asked.trustedRealmHosts.includes(other)) return true;
  if (/^[[\d]/.test(host) || /^[[\d]/.test(other)) return false; // addresses have no owners above or below
  return other.endsWith(`.${host}`) || (host.endsWith(`.${other}`) && other.includes('.'));
}

function parseToken(body: Uint8Array): BearerToken {
  const value = parseStrictJson(body, { what: "the token server's answer" });
  const answer =
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : {};
  const token = [answer['token'], answer['access_token']].find((text) => typeof text === 'string');
  if (
    typeof token !== 'string' ||
    token.length > MAX_TOKEN_CHARACTERS ||
    !/^[\u0021-\u007e]+$/.test(token)
  ) {
    throw new OperationalError(
      'REGISTRY_PROTOCOL',
      "the token server's answer holds no usable token",
    );
  }
  const seconds = answer['expires_in'];
  const lifetime = typeof seconds === 'number' && seconds > 0 ? seconds : DEFAULT_LIFETIME_SECONDS;
  // A little less than promised, for the time that the answer was under way.
  return { token, expiresAtMs: performance.now() + Math.min(lifetime, 86_400) * 900 };
}
