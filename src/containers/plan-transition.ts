import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { findServiceBefore } from './service-before.js';
import { sideOf, type Transition } from './transition.js';

/** What {@link planTransition} leads to, and how. */
export interface PlanTransitionOptions {
  readonly to: Deployment;
  readonly builds: boolean;
  /** See {@link Transition.rejected}. */
  readonly rejected?: string;
}

/**
 * The transition from an installed deployment to another one: it runs afterwards if it runs now, and starts at boot if
 * it does now. A unit that comes with the other one only is to start at boot.
 */
export async function planTransition(
  host: Host,
  from: Deployment,
  { to, builds, rejected }: PlanTransitionOptions,
): Promise<Transition> {
  const { enabled, runs, dependents } = await findServiceBefore(host, from);
  const enabledAfter = to.units.filter(
    (unit) => enabled.includes(unit) || !from.units.includes(unit),
  );
  return {
    name: from.name,
    from: sideOf(from, enabled),
    to: sideOf(to, enabledAfter),
    builds,
    starts: runs,
    dependents,
    rejected,
  };
}
