import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { bareMediaType } from '../oci/media-types.js';
import { HttpFailure } from './http-failure.js';
import type { HttpResponse } from './http.js';
import { isRetryable, type RegistrySession, type SessionRequest } from './registry-session.js';
import { RegistryResponseError } from './response-error.js';
import { waitBeforeRetry } from './retry.js';
import { toUserError } from './to-user-error.js';
import { watchProgress } from './watch-progress.js';

/** Progress, in bytes, after which a broken transfer counts as a new one: a link that is cut every 64 KiB gets there. */
const FORGIVING_PROGRESS_BYTES = 16 * 1024;

/** How many times sooner than otherwise it is asked again after such progress: 200 MB in pieces of 64 KiB take 3,000 waits. */
const PROGRESS_HURRY = 10;

/**
 * Blobs (or what is left of them) from this size on are lent, in bytes: below it the connection of its own, which may take
 * four ways to a far registry, costs more than it saves.
 */
const MIN_LENT_BYTES = 4 * 1024 * 1024;

/**
 * The bytes of a blob, put together from as many answers as it takes: after a cut the next request asks for the rest
 * (RFC 9110, section 14). Not verified here: one hash over all that comes out is carried on by the consumer, so a wrong
 * piece is found at the end, wherever it came from.
 *
 * A server that sends more than `size` bytes is not cut off here either: the consumer's check is.
 *
 * @throws {@link OperationalError} as {@link RegistrySession.get}
 */
export async function* streamBlob(
  session: RegistrySession,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  options: {
    readonly signal: AbortSignal;
    /** Bytes that the consumer has already, from elsewhere. */
    readonly offset?: number;
    /** Whether pieces may be lent: each is good until the next one is asked for. */
    readonly lend?: boolean | undefined;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const doing = `cannot fetch ${descriptor.digest.slice(0, 19)}… of ${quote(session.endpoint.repository)}`;
  const { signal } = options;
  let offset = options.offset ?? 0;
  let failures = 0;
  // Asked for parts, until the registry shows that it cannot give them.
  let whole = false;
  for (;;) {
    const startedAt = offset;
    const from = whole ? 0 : offset;
    const lend = options.lend === true && descriptor.size - from >= MIN_LENT_BYTES;
    try {
      const response = await session.getOnce(requestFor(descriptor, { from, doing, signal, lend }));
      if (!isAnswerTo(response, from)) {
        await response.body.discard();
        if (from === 0) throw badPart(response, doing);
        whole = true;
        continue;
      }
      await refuseWebPage(response, { size: descriptor.size - from, doing });
      for await (const chunk of passOver(response, offset)) {
        offset += chunk.length;
        await session.limiter?.pass(chunk.length, signal);
        yield chunk;
      }
      if (offset >= descriptor.size) return;
      throw new HttpFailure(
        'closed',
        `the answer ended after ${offset} of ${descriptor.size} bytes`,
      );
    } catch (error) {
      // All that was promised is there; what broke was behind it.
      if (offset === descriptor.size && error instanceof HttpFailure) return;
      const hasProgressed = offset - startedAt >= FORGIVING_PROGRESS_BYTES;
      if (hasProgressed) failures = 0;
      failures++;
      if (failures >= session.retries.attempts || !isRetryable(error)) {
        throw toUserError(error, { endpoint: session.endpoint, doing });
      }
      const serverDelayMs = error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
      const { baseDelayMs } = session.retries;
      const policy = hasProgressed
        ? { ...session.retries, baseDelayMs: baseDelayMs / PROGRESS_HURRY }
        : session.retries;
      await waitBeforeRetry(policy, { attempt: failures, serverDelayMs, signal });
    }
  }
}

/**
 * No If-Range: the path holds the digest, so there is no other version to be told from, and the ETags of the machines behind one
 * name differ, which would have every one of them send everything again.
 */
function requestFor(
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  at: Pick<SessionRequest, 'doing' | 'signal' | 'lend'> & { readonly from: number },
): SessionRequest {
  return {
    path: `/blobs/${descriptor.digest}`,
    accept: '*/*',
    doing: at.doing,
    signal: at.signal,
    lend: at.lend,
    ...(at.from === 0
      ? {}
      : { range: `bytes=${at.from}-${descriptor.size - 1}`, ok: [200, 206, 416] }),
  };
}

/** Whether this is all of the blob, or the part that begins where it was asked for; 416 and any other part are not. */
function isAnswerTo(response: HttpResponse, from: number): boolean {
  if (response.status === 416) return false;
  if (response.status !== 206) return true;
  const range = response.headers['content-range'] ?? '';
  const start = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(range)?.[1];
  return from > 0 && start !== undefined && Number(start) === from;
}

/** What comes after `offset`: a server that ignores Range sends everything again, and what is there is never appended to itself. */
async function* passOver(
  response: HttpResponse,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let toSkip = response.status === 206 ? 0 : offset;
  for await (const chunk of watchProgress(response.body)) {
    const skipped = Math.min(toSkip, chunk.length);
    toSkip -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

/** A login page has neither the type nor the length of a blob. (Some stores call every blob text/html: then the length is right.) */
async function refuseWebPage(
  response: HttpResponse,
  expected: { readonly size: number; readonly doing: string },
): Promise<void> {
  if (bareMediaType(response.headers['content-type'] ?? '') !== 'text/html') return;
  if (response.headers['content-length'] === String(expected.size)) return;
  await response.body.discard();
  throw new OperationalError(
    'REGISTRY_PROTOCOL',
    `${expected.doing}: the answer is a web page in place of the content`,
    { hint: 'is a proxy or a login page in between?' },
  );
}

function badPart(response: HttpResponse, doing: string): OperationalError {
  const range = response.headers['content-range'];
  return new OperationalError(
    'REGISTRY_PROTOCOL',
    `${doing}: the registry was asked for all of it and answered with ${range === undefined ? 'a part' : quote(range)}`,
  );
}
