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
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const doing = `cannot fetch ${descriptor.digest.slice(0, 19)}… of ${quote(session.endpoint.repository)}`;
  const { signal } = options;
  let offset = options.offset ?? 0;
  let failures = 0;
  for (;;) {
    const startedAt = offset;
    try {
      const response = await session.getOnce(requestFor(descriptor, { offset, doing, signal }));
      await refuseWebPage(response, { size: descriptor.size - offset, doing });
      for await (const chunk of bodyFrom(response, offset)) {
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
      if (offset - startedAt >= FORGIVING_PROGRESS_BYTES) failures = 0;
      failures++;
      if (failures >= session.retries.attempts || !isRetryable(error)) {
        throw toUserError(error, { endpoint: session.endpoint, doing });
      }
      const serverDelayMs = error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
      await waitBeforeRetry(session.retries, { attempt: failures, serverDelayMs, signal });
    }
  }
}

function requestFor(
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  at: { readonly offset: number; readonly doing: string; readonly signal: AbortSignal },
): SessionRequest {
  return {
    path: `/blobs/${descriptor.digest}`,
    accept: '*/*',
    doing: at.doing,
    signal: at.signal,
    ...(at.offset === 0 ? {} : { range: `bytes=${at.offset}-${descriptor.size - 1}` }),
  };
}

/** The part of an answer that comes after what is there already. */
async function* bodyFrom(
  response: HttpResponse,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  // A server that ignores Range sends everything again: what is there already is passed over, never appended.
  let toSkip = response.status === 206 ? 0 : offset;
  if (response.status === 206) await requireRangeFrom(response, offset);
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

async function requireRangeFrom(response: HttpResponse, offset: number): Promise<void> {
  const range = response.headers['content-range'] ?? '';
  const start = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(range)?.[1];
  if (start !== undefined && Number(start) === offset) return;
  await response.body.discard();
  throw new OperationalError(
    'REGISTRY_PROTOCOL',
    `the registry was asked for what follows byte ${offset} and answered with ${quote(range)}`,
  );
}
