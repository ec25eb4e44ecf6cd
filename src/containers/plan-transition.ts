import { isTemplateName } from '../base/container-name.js';
import { activatorsOf } from './activators.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { findServiceBefore, type ServiceBefore } from './service-before.js';
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
 * it does now. A unit that comes with the other one only is to start at boot, unless somebody wants nothing of the container to.
 */
export async function planTransition(
  host: Host,
  from: Deployment,
  { to, builds, rejected }: PlanTransitionOptions,
): Promise<Transition> {
  const before = await findServiceBefore(host, from);
  const { enabled, isKeptOff, runs, dependents } = before;
  const enabledAfter = to.units.filter(
    (unit) => enabled.includes(unit) || (!isKeptOff && !from.units.includes(unit)),
  );
  const up = upAfter(before, { from, to, enabledAfter });
  return {
    name: from.name,
    from: sideOf(from, enabled, before.up),
    to: sideOf(to, enabledAfter, up),
    builds,
    starts: runs,
    dependents,
    rejected,
  };
}

/**
 * What waits for the service to be wanted waits afterwards, too, and what comes new is as it will be after a boot. Where nothing
 * is left that would start a service that rests, it runs.
 */
function upAfter(
  { runs, up }: ServiceBefore,
  change: {
    readonly from: Deployment;
    readonly to: Deployment;
    readonly enabledAfter: readonly string[];
  },
): readonly string[] {
  const { from, to, enabledAfter } = change;
  const [service] = to.units;
  if ((!runs && up.length === 0) || service === undefined) return [];
  const activators = activatorsOf(to.units);
  if (isTemplateName(to.name)) {
    // Which instances are wanted nobody says of what is new.
    const kept = up.filter((unit) =>
      activators.some((template) => typeOf(template) === typeOf(unit)),
    );
    return activators.length > 0
      ? kept
      : [...new Set(up.map((unit) => unit.replace(/\.\w+$/, '.service')))];
  }
  if (activators.length === 0) return runs ? [] : [service];
  return activators.filter((unit) =>
    from.units.includes(unit) ? up.includes(unit) : enabledAfter.includes(unit),
  );
}

function typeOf(unit: string): string {
  return unit.slice(unit.lastIndexOf('.') + 1);
}
