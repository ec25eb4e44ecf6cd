import { isTemplateName } from '../base/container-name.js';
import { activatorsOf, startedAtBoot } from './activators.js';
import { isRunning } from './unit-states.js';
import { listContainerNamesNow, stampOfState } from './state-entries.js';
import type { ContainerBrief } from './container-brief.js';
import type { Deployment } from './deployment.js';
import { readBriefs } from './record-cache.js';
import type { Host } from './host.js';
import type { OfflineState } from './offline-states.js';
import type { HostPaths } from '../config/host-paths.js';
import type { UnitState, UnitSummary } from '../systemd/unit-manager.js';

/** One installed container and what systemd says of it. */
export interface ListedContainer {
  readonly deployment: ContainerBrief;
  /** Undefined without a running systemd (`--root`), or where the container has no service. */
  readonly state: UnitSummary | undefined;
  /** Of what starts its service; empty where nothing does, and where nothing runs. */
  readonly activators: readonly UnitSummary[];
  /** Of a template: its instances that are active. Undefined for others. */
  readonly instances: readonly string[] | undefined;
  /** Of a tree that is not running; undefined on a host that runs, or where the container has no service. */
  readonly offline: OfflineState | undefined;
}

/** What is installed. */
export interface ContainerListing {
  readonly containers: readonly ListedContainer[];
  /** Names whose record cannot be read, with the reason: one bad record does not hide the rest. */
  readonly damaged: readonly { readonly name: string; readonly error: unknown }[];
}

/** Lists the installed containers, sorted by name, with their state. Takes no lock. */
export async function listContainers(host: Host): Promise<ContainerListing> {
  const { deployments, damaged, states } = await readWithStates(host);
  const offline = await offlineStates(host, deployments);
  const containers: ListedContainer[] = [];
  for (const deployment of deployments) {
    const state = states.get(deployment.units[0] ?? '');
    // Nothing is waited for that need not be: there may be thousands.
    const isTemplate = state !== undefined && isTemplateName(deployment.name);
    const instances = isTemplate ? await findActiveInstances(host, deployment) : undefined;
    const inTree = startedAtBoot(deployment.units.map((unit) => offline.get(unit)));
    const activators = activatorsOf(deployment.units).flatMap((unit) => states.get(unit) ?? []);
    containers.push({ deployment, state, activators, instances, offline: inTree });
  }
  return { containers, damaged };
}

async function offlineStates(
  host: Host,
  deployments: readonly ContainerBrief[],
): Promise<ReadonlyMap<string, OfflineState>> {
  if (host.paths.root === '') return new Map();
  const { offlineStatesOf } = await import('./offline-states.js');
  return offlineStatesOf(
    host,
    deployments.flatMap(({ units }) => units),
  );
}

/** What is installed, and what systemd says of the units of each; nothing where no systemd runs. */
async function readWithStates(
  host: Host,
): Promise<InstalledDeployments & { readonly states: ReadonlyMap<string, UnitSummary> }> {
  let found: InstalledDeployments | undefined;
  const read = (): InstalledDeployments => (found ??= readDeploymentsNow(host));
  const findUnits = (): readonly string[] => read().deployments.flatMap(({ units }) => units);
  const summaries = await summariesOf(host, findUnits);
  return { ...read(), states: new Map(summaries.map((state) => [state.unit, state])) };
}

async function summariesOf(
  host: Host,
  findUnits: () => readonly string[],
): Promise<readonly UnitSummary[]> {
  if (host.paths.root !== '' || listContainerNamesNow(host.paths).length === 0) return [];
  try {
    const manager = await host.openUnitManager();
    return manager.kind === 'dbus' ? await manager.getSummaries(findUnits) : [];
  } catch (error) {
    // Containers of files alone are none of systemd's business.
    if (findUnits().length === 0) return [];
    throw error;
  }
}

/** The instances of a template that are active; undefined for other containers, and where nothing runs. */
export async function findActiveInstances(
  host: Host,
  { name, units }: Pick<Deployment, 'name' | 'units'>,
): Promise<readonly string[] | undefined> {
  const [template] = units;
  if (!isTemplateName(name) || template === undefined || host.paths.root !== '') return undefined;
  const manager = await host.openUnitManager();
  const instances = await manager.listInstances(template);
  const states = await manager.getSummaries(() => instances);
  return states.filter(isRunning).map(({ unit }) => unit);
}

/** What all installed containers are in short, sorted by name. */
export function readDeployments(host: Host): Promise<InstalledDeployments> {
  return Promise.resolve().then(() => readDeploymentsNow(host));
}

function readDeploymentsNow(host: Host): InstalledDeployments {
  const look = stampOfState(host.paths);
  if (look !== undefined && look === last?.look && nowMs() - last.atMs < STAYS_MS)
    return last.found;
  const found = readAll(host.paths);
  const isMany = found.deployments.length >= MANY;
  last = look === undefined || !isMany ? undefined : { look, found, atMs: nowMs() };
  return found;
}

/** What is installed, without its state. */
interface InstalledDeployments {
  readonly deployments: readonly ContainerBrief[];
  readonly damaged: ContainerListing['damaged'];
}

/** So many records that looking at them again and again is a large part of a command: an installation does it five times. */
const MANY = 64;

/** How long what was found stays true in milliseconds, if no link and no deployment comes or goes meanwhile. */
const STAYS_MS = 250;

let last:
  | { readonly look: string; readonly atMs: number; readonly found: InstalledDeployments }
  | undefined;

/** Of a clock that is never set. (Node loads `performance` when it is asked for, which takes longer than a hundred looks.) */
function nowMs(): number {
  return process.uptime() * 1000;
}

function readAll(paths: HostPaths): InstalledDeployments {
  const names = listContainerNamesNow(paths);
  const damaged: { name: string; error: unknown }[] = [];
  const deployments = readBriefs(paths, names, (name, error) => {
    damaged.push({ name, error });
  });
  return { deployments, damaged };
}

/** What systemd says of units, by name; nothing where no systemd runs. */
export async function statesOf(
  host: Host,
  units: readonly string[],
): Promise<ReadonlyMap<string, UnitState>> {
  if (units.length === 0 || host.paths.root !== '') return new Map();
  const manager = await host.openUnitManager();
  if (manager.kind !== 'dbus') return new Map();
  return new Map((await manager.getStates(units)).map((state) => [state.unit, state]));
}
