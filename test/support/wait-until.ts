import { AssertionError } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';

/** How {@link waitUntil} waits. */
export interface WaitOptions {
  /** 30 s unless given: what takes a moment on a quiet machine may take a hundred on a busy one, and nobody waits for nothing. */
  readonly timeoutMs?: number;
  /** Between two looks; 25 ms unless given. */
  readonly everyMs?: number;
}

/**
 * Waits until something has come about that no event tells of, and gives what the look found: a line in a journal, a
 * state that another process writes. The look says "not yet" by undefined or false, or by an assertion that fails; any
 * other error ends the wait. What is known to be final is asserted once, without this.
 *
 * @param what what is waited for, as the error names it when it does not come
 */
export async function waitUntil<T>(
  what: string,
  look: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const { timeoutMs = 30_000, everyMs = 25 } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    let missing: AssertionError | undefined;
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      missing = error;
    }
    if (performance.now() > end) {
      const seen = missing === undefined ? '' : `: ${missing.message}`;
      throw new Error(`${what} did not come within ${timeoutMs} ms${seen}`, { cause: missing });
    }
    await delay(everyMs);
  }
}
