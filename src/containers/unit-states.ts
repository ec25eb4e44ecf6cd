import type { UnitSummary } from '../systemd/unit-manager.js';

/** Whether a unit runs, or is on the way to it. */
export function isRunning(state: UnitSummary | undefined): boolean {
  return ['active', 'reloading', 'refreshing', 'activating'].includes(state?.activeState ?? '');
}
