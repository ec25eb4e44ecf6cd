import { escapeText, quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { findReach, type AddressReach } from './address-reach.js';
import { sendFollowing } from './follow-redirects.js';
import { HttpFailure } from './http-failure.js';
import type { TlsSettings } from './http.js';
import type { HttpSender } from './lazy-http.js';
import { readBounded } from './read-bounded.js';
import { redactUrl } from './redact-url.js';
import { waitBeforeRetry, type RetryPolicy } from './retry.js';

/** Answers after which the same may succeed a little later. */
const PASSING = [408, 425, 429, 500, 502, 503, 504];

/** A file of the web. */
export interface FileRequest {
  readonly url: URL;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** What {@link fetchFile} works with. */
export interface FileFetcher {
  readonly client: HttpSender;
  readonly tls: TlsSettings;
  readonly retries: RetryPolicy;
  readonly findProxy: (url: URL) => URL | undefined;
}

/**
 * Reads a file of a web server that is no registry: without credentials. Undefined where it says that there is none (404).
 *
 * @throws OperationalError REGISTRY_UNREACHABLE, REGISTRY_TEMPORARY, REGISTRY_TLS, REGISTRY_PROTOCOL, REGISTRY_REDIRECT,
 * LIMIT_EXCEEDED: for everything that is neither the file nor its absence
 */
export async function fetchFile(
  request: FileRequest,
  fetcher: FileFetcher,
): Promise<Buffer | undefined> {
  const { retries } = fetcher;
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchOnce(request, fetcher);
    } catch (error) {
      const passing = error instanceof HttpFailure && error.retryable;
      if (!passing && !(error instanceof PassingAnswer)) throw toUserError(error, request.url);
      if (attempt >= retries.attempts) throw toUserError(error, request.url);
      await waitBeforeRetry(retries, { attempt, signal: request.signal });
    }
  }
}

/** The server says that it may do better later. */
class PassingAnswer extends OperationalError {
  constructor(url: URL, status: number) {
    super('REGISTRY_TEMPORARY', `${quote(redactUrl(url))} answered ${status}`);
  }
}

async function fetchOnce(
  { url, maxBytes, signal }: FileRequest,
  { client, tls, findProxy }: FileFetcher,
): Promise<Buffer | undefined> {
  const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'berth' };
  const proxy = findProxy(url);
  const { response } = await sendFollowing(
    client,
    { method: 'GET', url, headers, tls, proxy, signal },
    { follow: true, insecure: false, findReach: () => Promise.resolve(reachOf(url)), findProxy },
  );
  const { status, body } = response;
  if (status === 200) return await readBounded(body, maxBytes);
  await body.discard();
  if (status === 404) return undefined;
  if (PASSING.includes(status)) throw new PassingAnswer(url, status);
  throw new OperationalError('REGISTRY_PROTOCOL', `${quote(redactUrl(url))} answered ${status}`);
}

/** A server may send on as far inside as it is itself, as far as its address says so; a name counts as outside. */
function reachOf(url: URL): AddressReach {
  return findReach(url.hostname) ?? 'public';
}

function toUserError(error: unknown, url: URL): unknown {
  if (!(error instanceof HttpFailure)) return error;
  const code =
    error.kind === 'certificate' || error.kind === 'not-tls'
      ? 'REGISTRY_TLS'
      : 'REGISTRY_UNREACHABLE';
  return new OperationalError(
    code,
    `cannot read ${quote(redactUrl(url))}: ${escapeText(error.message)}`,
  );
}
