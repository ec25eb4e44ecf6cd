import type { UnitState } from '../systemd/unit-manager.js';

/** States in which a unit does its work (org.freedesktop.systemd1, ActiveState; `refreshing` from 257 on). */
const UP = new Set(['active', 'reloading', 'refreshing']);

/** Whether a unit does its work now. */
export function isUp(state: UnitState): boolean {
  return UP.has(state.activeState);
}

/**
 * Whether a oneshot service without `RemainAfterExit=` has done all that it is there for. systemd forgets such a unit at
 * once, its run with it; one that failed is kept.
 */
export function hasCompleted(state: UnitState): boolean {
  return (
    state.serviceType === 'oneshot' &&
    state.activeState === 'inactive' &&
    state.result === 'success'
  );
}

/** What the unit of a container was like when it was first looked at, and is now. */
export interface WatchedStates {
  readonly first: UnitState;
  readonly now: UnitState;
  /** Whether something starts it whenever it is wanted: then it may end well, and be started again. */
  readonly mayRest?: boolean;
}

/** Whether a service that something else starts is not wanted at present. */
export function isResting(state: UnitState): boolean {
  return state.activeState === 'inactive' && state.result === 'success';
}

/**
 * Why a unit whose start job has ended well is not well now, in a person's words; undefined where nothing is wrong. A
 * restart counts whoever asked for it: what ran before is not what runs now.
 */
export function judgeUnit({ first, now, mayRest = false }: WatchedStates): string | undefined {
  if (now.restarts > 0) {
    return `it did not stay up: systemd had to restart it${howItEnded(now)}`;
  }
  if (hasCompleted(now) || (mayRest && isResting(now))) return undefined;
  if (now.subState === 'auto-restart' || now.subState === 'auto-restart-queued') {
    return `it did not stay up${howItEnded(now)}`;
  }
  if (now.activeState === 'failed') return `it failed${howItEnded(now)}`;
  if (now.activeState === 'inactive') return `it ended${howItEnded(now)}`;
  // On its way to work, or back to rest.
  if (mayRest && /^(?:de)?activating$/.test(now.activeState)) return undefined;
  if (!mayRest && now.invocationId !== first.invocationId)
    return 'it was restarted while it was watched';
  if (!isUp(now)) return `it is ${now.activeState} (${now.subState})`;
  return undefined;
}

/** The same for a unit that depends on the container's, and was up before it was changed. */
export function judgeDependent({ first, now }: WatchedStates): string | undefined {
  if (now.activeState === 'failed') return `failed${howItEnded(now)}`;
  if (now.subState === 'auto-restart' || now.restarts > first.restarts) return 'did not stay up';
  // One that is still being started again is waited for.
  if (now.activeState !== 'activating' && !isUp(now)) return `is ${now.activeState}`;
  return undefined;
}

/** `CLD_EXITED` of waitid(2): the status is one that the program chose, else it is a signal. */
const CLD_EXITED = 1;

function howItEnded(state: UnitState): string {
  const { execMainCode, execMainStatus, result } = state;
  const how =
    execMainCode === 0
      ? undefined
      : execMainCode === CLD_EXITED
        ? `its program ended with status ${execMainStatus}`
        : `its program died of signal ${execMainStatus}`;
  const parts = [result === 'success' ? undefined : `result '${result}'`, how].filter(
    (part) => part !== undefined,
  );
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
