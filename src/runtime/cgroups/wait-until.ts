import { setTimeout as delay } from 'node:timers/promises';

import { OperationalError } from '../../errors/operational-error.js';

/** Longest wait for the kernel to stop or end processes: one that sleeps in a dead device may never do it. */
const TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/**
 * Looks again and again until `isDone` says so. Files of cgroups tell changes to poll(2) alone, which Node has not.
 *
 * @throws {@link OperationalError} CGROUP_FAILED after ten seconds; CANCELLED
 */
export async function waitUntil(
  isDone: () => boolean,
  what: string,
  signal?: AbortSignal,
): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  for (let pause = FIRST_PAUSE_MS; !isDone(); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (signal?.aborted === true) {
      throw new OperationalError('CANCELLED', `interrupted while waiting for ${what}`);
    }
    if (performance.now() > end) {
      throw new OperationalError('CGROUP_FAILED', `gave up waiting for ${what}`);
    }
    await delay(pause);
  }
}
