import { findActiveDependents } from './find-dependents.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { isTemplateName } from '../base/container-name.js';
import { isRunning } from './unit-states.js';

/** How systemd had a container before a change: afterwards it has it so again. */
export interface ServiceBefore {
  /** Units that are started at boot. */
  readonly enabled: readonly string[];
  readonly runs: boolean;
  /** Units that are up and go down with it, nearest first. */
  readonly dependents: readonly string[];
}

/** What systemctl says of a unit that somebody wants not to be started at boot. */
const NOT_ENABLED = ['', 'disabled', 'masked', 'masked-runtime', 'bad'];

/** Asks systemd how it has a container. */
export async function findServiceBefore(
  host: Host,
  deployment: Deployment,
): Promise<ServiceBefore> {
  const units = await host.openUnitManager();
  const states = await units.getStates(deployment.units);
  const enabled = states
    .filter(({ unitFileState }) => !NOT_ENABLED.includes(unitFileState))
    .map(({ unit }) => unit);
  const [unit] = deployment.units;
  if (units.kind === 'dbus' && unit !== undefined && isTemplateName(deployment.name)) {
    const instances = await units.getStates(await units.listInstances(unit));
    const running = instances.filter(isRunning).map((state) => state.unit);
    return { enabled, runs: running.length > 0, dependents: running };
  }
  if (units.kind !== 'dbus' || unit === undefined || !isRunning(states[0]))
    return { enabled, runs: false, dependents: [] };
  return { enabled, runs: true, dependents: await findActiveDependents(host, unit) };
}
