import { setTimeout as sleep } from 'node:timers/promises';

/** How often and how patiently something is tried again. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Before the second try; doubled each time, and each wait is a random part of it and of half of it. */
  readonly baseDelayMs: number;
  /** Longest wait of our own choice. */
  readonly maxDelayMs: number;
  /** Longest wait that a server can ask for: a boot must not hang on a header (Retry-After: 31536000). */
  readonly maxServerDelayMs: number;
}

/** About half a minute of trying: a registry that restarts is back by then, and a person still waits. */
export const DEFAULT_RETRIES: RetryPolicy = {
  attempts: 6,
  baseDelayMs: 500,
  maxDelayMs: 10_000,
  maxServerDelayMs: 60_000,
};

/** Waits before try number `attempt` (the first one that waits is 1). */
export async function waitBeforeRetry(
  policy: RetryPolicy,
  turn: {
    readonly attempt: number;
    /** What the server asked for, if it did. */
    readonly serverDelayMs?: number | undefined;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  await sleep(retryDelay(policy, turn), undefined, { signal: turn.signal }).catch(
    (error: unknown) => {
      turn.signal.throwIfAborted(); // the reason of the one who aborted, not the timer's
      throw error;
    },
  );
}

/** The wait before try number `attempt`, in milliseconds; random unless the server named one. */
export function retryDelay(
  policy: RetryPolicy,
  turn: { readonly attempt: number; readonly serverDelayMs?: number | undefined },
): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (turn.attempt - 1));
  const own = ceiling / 2 + (Math.random() * ceiling) / 2;
  if (turn.serverDelayMs === undefined) return own;
  // Those that were told the same second should not all come back in it.
  return Math.min(Math.max(turn.serverDelayMs, 0), policy.maxServerDelayMs) + own / 2;
}
