import { setTimeout as wait } from 'node:timers/promises';

import { OperationalError } from '../errors/operational-error.js';
import type { UnitState } from '../systemd/unit-manager.js';
import type { Host } from './host.js';
import { isResting, judgeUnit } from './judge-state.js';
import { unitFailed } from './unit-failed.js';

/** A service whose start job has just ended well. */
export interface FreshService {
  readonly unit: string;
  readonly state: UnitState;
  /** When it was seen so, by `performance.now()`. */
  readonly sinceMs: number;
}

/**
 * systemd calls these active as soon as their program runs, before it has read its first file. A launcher that forks is such
 * a program.
 */
const ACTIVE_AT_ONCE: ReadonlySet<string> = new Set(['simple', 'exec', 'idle', 'forking']);

/**
 * How long one of them is given to fail: a program that finds a library, a file or an address missing does so in a
 * few hundredths of a second, and nobody notices that a command takes a tenth.
 */
const MOMENT_MS = 100;

/** Looks at a service right after its start job, for {@link lookAgain}; undefined where systemd does not know it any more. */
export async function lookFirst(host: Host, unit: string): Promise<FreshService | undefined> {
  const [state] = await (await host.openUnitManager()).getStates([unit]);
  return state === undefined ? undefined : { unit, state, sinceMs: performance.now() };
}

/**
 * Looks whether a service that was started is still up a moment later, which it waits for only where systemd itself does
 * not know more. Gives whether it has ended well meanwhile, its work done.
 *
 * @throws {@link OperationalError} UNIT_JOB_FAILED with what the unit's log said last; CANCELLED
 */
export async function lookAgain(
  host: Host,
  { unit, state: first, sinceMs }: FreshService,
): Promise<'up' | 'ended'> {
  if (!ACTIVE_AT_ONCE.has(first.serviceType)) return isResting(first) ? 'ended' : 'up';
  await waitUntil(sinceMs + MOMENT_MS, host.signal);
  const [now] = await (await host.openUnitManager()).getStates([unit]);
  if (now === undefined) return 'ended';
  // Restarts are counted from when a service first ran, not from this start.
  const restarts = now.restarts - first.restarts;
  const problem = judgeUnit({ first, now: { ...now, restarts }, mayRest: true });
  if (problem === undefined) return isResting(now) ? 'ended' : 'up';
  throw await unitFailed(host, unit, { problem, invocationId: first.invocationId });
}

async function waitUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  const leftMs = timeMs - performance.now();
  try {
    if (leftMs > 0) await wait(leftMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new OperationalError('CANCELLED', 'interrupted after the start', { cause: error });
  }
}
