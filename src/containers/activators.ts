import { instanceUnitName, parseUnitName } from '../systemd/unit-name.js';
import type { UnitSummary } from '../systemd/unit-manager.js';

/*
 * Of the units of a deployment the first is the service; the others are its activators: the socket, timer and path that start
 * it. What of a container is up at boot is what has an [Install] section, and where there are activators the service mostly has
 * none: it rests until it is wanted. So a container is on where its service runs or an activator waits.
 */

/** The units of a deployment that start its service. */
export function activatorsOf(units: readonly string[]): readonly string[] {
  return units.slice(1);
}

/** The same of one instance of a template. */
export function activatorsOfInstance(
  units: readonly string[],
  instance: string,
): readonly string[] {
  const activators = activatorsOf(units);
  return instance === ''
    ? activators
    : activators.map((unit) => instanceUnitName(parseUnitName(unit), instance));
}

/** Whether a service does nothing and something waits for it to be wanted. */
export function isWaiting(
  service: Pick<UnitSummary, 'activeState'>,
  activators: readonly Pick<UnitSummary, 'activeState'>[],
): boolean {
  return (
    service.activeState === 'inactive' &&
    activators.some(({ activeState }) => activeState === 'active')
  );
}

/** Whether a service with activators starts by them alone: nothing else in its `[Install]` has it started. */
export function startsByActivators(state: Pick<UnitSummary, 'unitFileState'>): boolean {
  return ['static', 'indirect'].includes(state.unitFileState);
}

/**
 * The order in which units of a container are stopped, and started: a service that is stopped first would be started again, and
 * once it runs its socket cannot be started any more.
 */
export function activatorsFirst(units: readonly string[]): readonly string[] {
  return [...activatorsOf(units), ...units.slice(0, 1)];
}

/** Of what a tree says of the units of a container, the service first, what is said of the one that a boot starts. */
export function startedAtBoot<T extends { readonly enabled: string }>(
  states: readonly (T | undefined)[],
): T | undefined {
  return states.find((state) => state?.enabled.startsWith('enabled')) ?? states[0];
}
