import type { HealthCheck } from './health-check.js';
import type { CheckOutcome } from './run-check.js';

/** Until a container is well for the first time it is asked this often: who waits for an update waits no longer. */
const EAGER_INTERVAL_MS = 1_000;

/** How checks are run and time is told: the real ones, or those of a test. */
export interface CheckWorld {
  run(): Promise<CheckOutcome>;
  /** Milliseconds since the container became active. */
  elapsedMs(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Checks a container until it has been well to the end of its soak time, and gives undefined; or until it has failed too
 * often in a row, and gives the last problem.
 *
 * A check that passes counts whenever it comes. One that fails counts at most once an interval, not in the start period
 * unless one has passed before, and not before the first interval is over: as where the image's own engine runs it,
 * which waits for an interval first. The last check is made when the soak time is over.
 */
export async function checkUntilWell(
  check: HealthCheck,
  world: CheckWorld,
): Promise<string | undefined> {
  let hasPassed = false;
  let failures = 0;
  let countedAt = 0;
  for (;;) {
    const begun = world.elapsedMs();
    const outcome = await world.run();
    if (outcome.passed) {
      if (begun >= check.soakMs) return undefined;
      hasPassed = true;
      failures = 0;
      countedAt = begun;
    } else {
      const isDue = begun - countedAt >= check.intervalMs;
      if (isDue && (hasPassed || begun >= check.startPeriodMs)) {
        failures += 1;
        countedAt = begun;
        if (failures >= check.retries) return outcome.problem;
      }
    }
    const pause = outcome.passed
      ? Math.min(check.intervalMs, check.soakMs - begun)
      : Math.min(check.intervalMs, EAGER_INTERVAL_MS);
    await world.sleep(Math.max(0, begun + pause - world.elapsedMs()));
  }
}
