import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { AddressReach } from './address-reach.js';
import type { HttpRequest, HttpResponse } from './http.js';
import type { HttpSender } from './lazy-http.js';
import { redactUrl } from './redact-url.js';

/** Most redirects that are followed; registries in front of object stores need one or two. */
const MAX_REDIRECTS = 10;

const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * What another origin gets to see. A list of what may pass, not of what may not: a header that someone invents tomorrow must
 * not leak (CVE-2026-49349, and undici strips only the three that it knows).
 */
const HEADERS_FOR_STRANGERS = ['accept', 'accept-encoding', 'range', 'user-agent'];

/** What a registry's redirects may do. */
export interface RedirectPolicy {
  /** Whether they are followed at all. */
  readonly follow: boolean;
  /** Whether https may lead to http. */
  readonly insecure: boolean;
  /** Finds how far inside the registry itself is; asked at the first redirect to another host only. */
  readonly findReach: () => Promise<AddressReach>;
  /** The proxy for a URL. */
  readonly findProxy: (url: URL) => URL | undefined;
}

/** An answer, and who gave it in the end. */
export interface FollowedResponse {
  readonly response: HttpResponse;
  readonly url: URL;
  /** Whether another origin answered than was asked: it is a stranger, and its challenges are not answered. */
  readonly elsewhere: boolean;
}

/**
 * Sends a request and follows its redirects by hand.
 *
 * @throws {@link OperationalError} REGISTRY_REDIRECT if one leads where this must not go
 */
export async function sendFollowing(
  client: HttpSender,
  request: HttpRequest,
  policy: RedirectPolicy,
): Promise<FollowedResponse> {
  let current = request;
  let elsewhere = false;
  for (let followed = 0; ; followed++) {
    const response = await client.send(current);
    const location = response.headers['location'];
    if (!policy.follow || !REDIRECTS.includes(response.status) || location === undefined) {
      return { response, url: current.url, elsewhere };
    }
    await response.body.discard();
    if (followed === MAX_REDIRECTS) {
      throw new OperationalError(
        'REGISTRY_REDIRECT',
        `${quote(request.url.host)} redirects more than ${MAX_REDIRECTS} times, refusing to follow`,
      );
    }
    const next = parseTarget(location, current.url, policy);
    const url = next;
    if (next.origin !== current.url.origin) {
      elsewhere = true;
      const reach = next.hostname === request.url.hostname ? undefined : await policy.findReach();
      current = { ...current, url, headers: forStrangers(current.headers), reach };
    } else {
      current = { ...current, url };
    }
    current = { ...current, proxy: policy.findProxy(url) };
  }
}

/**
 * The URL that a server sends berth to.
 *
 * @throws {@link OperationalError} REGISTRY_REDIRECT if it leads where berth will not go
 */
export function parseTarget(
  location: string,
  base: URL,
  policy: Pick<RedirectPolicy, 'insecure'>,
): URL {
  let target: URL;
  try {
    target = new URL(location, base);
  } catch (cause) {
    throw new OperationalError(
      'REGISTRY_REDIRECT',
      `${quote(base.host)} redirects to ${quote(location.split('?', 1)[0] ?? '')}, which is not a URL`,
      { cause },
    );
  }
  const shown = quote(redactUrl(target));
  const refuse = (why: string): never => {
    throw new OperationalError(
      'REGISTRY_REDIRECT',
      `${quote(base.host)} redirects to ${shown}, refusing to follow: ${why}`,
    );
  };
  if (target.protocol !== 'https:' && target.protocol !== 'http:')
    refuse('it is neither https nor http');
  if (target.protocol === 'http:' && base.protocol === 'https:' && !policy.insecure) {
    refuse('it leads from https to http');
  }
  if (target.username !== '' || target.password !== '') refuse('it brings credentials of its own');
  target.hash = '';
  return target;
}

function forStrangers(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => HEADERS_FOR_STRANGERS.includes(name)),
  );
}
