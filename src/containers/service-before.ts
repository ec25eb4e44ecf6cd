import { activatorsOf } from './activators.js';
import { findActiveDependents } from './find-dependents.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { isTemplateName } from '../base/container-name.js';
import { isRunning } from './unit-states.js';

/** How systemd had a container before a change: afterwards it has it so again. */
export interface ServiceBefore {
  /** Units that are started at boot. */
  readonly enabled: readonly string[];
  /** Whether somebody wants nothing of it to be started at boot that could be. */
  readonly isKeptOff: boolean;
  readonly runs: boolean;
  /** What starts its service and is up: of a template its instances. */
  readonly up: readonly string[];
  /** Units that are up and go down with it, nearest first. */
  readonly dependents: readonly string[];
}

/** What systemctl says of a unit that somebody wants not to be started at boot. */
const NOT_ENABLED = ['', 'disabled', 'masked', 'masked-runtime', 'bad'];

/** What it says of a unit that nothing in its file has started at boot. */
const HAS_NO_INSTALL = ['static', 'indirect'];

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
  const fileStates = states.map(({ unitFileState }) => unitFileState);
  const isKeptOff =
    fileStates.includes('disabled') &&
    fileStates.every((state) => NOT_ENABLED.includes(state) || HAS_NO_INSTALL.includes(state));
  const [unit] = deployment.units;
  const activators = activatorsOf(deployment.units);
  if (units.kind === 'dbus' && unit !== undefined && isTemplateName(deployment.name)) {
    const instances = await units.getStates(await units.listInstances(unit));
    const running = instances.filter(isRunning).map((state) => state.unit);
    const waiting: string[] = [];
    for (const activator of activators) waiting.push(...(await units.listInstances(activator)));
    const up = (await units.getStates(waiting)).filter(isRunning).map((state) => state.unit);
    return { enabled, isKeptOff, runs: running.length > 0, up, dependents: running };
  }
  if (units.kind !== 'dbus' || unit === undefined)
    return { enabled, isKeptOff, runs: false, up: [], dependents: [] };
  const up = states
    .slice(1)
    .filter(isRunning)
    .map((state) => state.unit);
  if (!isRunning(states[0])) return { enabled, isKeptOff, runs: false, up, dependents: [] };
  const dependents = await findActiveDependents(host, unit);
  return { enabled, isKeptOff, runs: true, up, dependents };
}
