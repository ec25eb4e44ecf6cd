import { setTimeout as sleep } from 'node:timers/promises';

/** How much may come at once after a pause, in seconds of the rate: more would make a burst, less many small waits. */
const BURST_SECONDS = 0.25;

/**
 * Holds the sum of all flows that pass through it to a rate. The wire follows: what is not read is not sent.
 */
export class RateLimiter {
  readonly #bytesPerSecond: number;
  /** When all that was let through so far will have been due, by the monotonic clock. */
  #dueMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when so many bytes more are due. */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const earliestMs = nowMs - BURST_SECONDS * 1000;
    this.#dueMs = Math.max(this.#dueMs, earliestMs) + (bytes / this.#bytesPerSecond) * 1000;
    const waitMs = this.#dueMs - nowMs;
    if (waitMs <= 0) return;
    await sleep(waitMs, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted(); // the reason of the one who aborted, not the timer's
      throw error;
    });
  }
}
