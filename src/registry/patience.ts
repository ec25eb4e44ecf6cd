import { DEFAULT_TIMEOUTS, type HttpTimeouts } from './http-timeouts.js';
import { DEFAULT_RETRIES, type RetryPolicy } from './retry.js';

/** What a person says of it; each is berth's own where nothing is said. */
export interface PatienceOptions {
  readonly connectTimeoutMs: number | undefined;
  /** While something is fetched. */
  readonly timeoutMs: number | undefined;
  /** After the first try. */
  readonly retries: number | undefined;
}

/** How long and how often a registry is waited for. An answer may take twice as long to begin as to go on, as it does by default. */
export function patienceOf({ connectTimeoutMs, timeoutMs, retries }: PatienceOptions): {
  readonly timeouts: HttpTimeouts;
  readonly retries: RetryPolicy;
} {
  const { connectMs, idleMs, headersMs } = DEFAULT_TIMEOUTS;
  return {
    timeouts: {
      connectMs: connectTimeoutMs ?? connectMs,
      idleMs: timeoutMs ?? idleMs,
      headersMs: timeoutMs === undefined ? headersMs : 2 * timeoutMs,
    },
    retries:
      retries === undefined ? DEFAULT_RETRIES : { ...DEFAULT_RETRIES, attempts: 1 + retries },
  };
}
