import { statSync } from 'node:fs';

import { isTemplateName } from '../base/container-name.js';
import { isRunning } from './unit-states.js';
import { listContainerNames } from './container-directory.js';
import type { ContainerBrief } from './container-brief.js';
import type { Deployment } from './deployment.js';
import { readBriefs } from './record-cache.js';
import type { Host } from './host.js';
import type { HostPaths } from '../config/host-paths.js';
import type { UnitState, UnitSummary } from '../systemd/unit-manager.js';

/** One installed container and what systemd says of it. */
export interface ListedContainer {
  readonly deployment: ContainerBrief;
  /** Undefined without a running systemd (`--root`), or where the container has no service. */
  readonly state: UnitSummary | undefined;
  /** Of a template: its instances that are active. Undefined for others. */
  readonly instances: readonly string[] | undefined;
}

/** What is installed. */
export interface ContainerListing {
  readonly containers: readonly ListedContainer[];
  /** Names whose record cannot be read, with the reason: one bad record does not hide the rest. */
  readonly damaged: readonly { readonly name: string; readonly error: unknown }[];
}

/** Lists the installed containers, sorted by name, with their state. Takes no lock. */
export async function listContainers(host: Host): Promise<ContainerListing> {
  const { deployments, damaged } = await readDeployments(host);
  const states = await summariesOf(
    host,
    deployments.flatMap((deployment) => deployment.units.slice(0, 1)),
  );
  const containers: ListedContainer[] = [];
  for (const deployment of deployments) {
    const state = states.get(deployment.units[0] ?? '');
    const instances = state === undefined ? undefined : await findActiveInstances(host, deployment);
    containers.push({ deployment, state, instances });
  }
  return { containers, damaged };
}

/** The instances of a template that are active; undefined for other containers, and where nothing runs. */
export async function findActiveInstances(
  host: Host,
  { name, units }: Pick<Deployment, 'name' | 'units'>,
): Promise<readonly string[] | undefined> {
  const [template] = units;
  if (!isTemplateName(name) || template === undefined || host.paths.root !== '') return undefined;
  const manager = await host.openUnitManager();
  const states = await manager.getSummaries(await manager.listInstances(template));
  return states.filter(isRunning).map(({ unit }) => unit);
}

/** What all installed containers are in short, sorted by name. */
export async function readDeployments(host: Host): Promise<InstalledDeployments> {
  const look = lookAt(host.paths);
  if (look !== undefined && look === last?.look && performance.now() - last.atMs < STAYS_MS)
    return last.found;
  const found = await readAll(host.paths);
  const isMany = found.deployments.length >= MANY;
  last = look === undefined || !isMany ? undefined : { look, found, atMs: performance.now() };
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

/** The clock of file systems goes on in steps of ten milliseconds at most: what changes in the same one is not seen. */
const CLOCK_STEP_MS = 20;

let last:
  | { readonly look: string; readonly atMs: number; readonly found: InstalledDeployments }
  | undefined;

/** Changes whenever a link or a deployment comes or goes; undefined while that may be going on. */
function lookAt(paths: HostPaths): string | undefined {
  const folder = paths.onDisk(paths.stateDir);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || Date.now() - stat.mtimeMs < CLOCK_STEP_MS) return undefined;
  return `${folder} ${stat.dev} ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

async function readAll(paths: HostPaths): Promise<InstalledDeployments> {
  const names = await listContainerNames(paths);
  const damaged: { name: string; error: unknown }[] = [];
  const deployments = readBriefs(paths, names, (name, error) => {
    damaged.push({ name, error });
  });
  return { deployments, damaged };
}

async function summariesOf(
  host: Host,
  units: readonly string[],
): Promise<ReadonlyMap<string, UnitSummary>> {
  if (units.length === 0 || host.paths.root !== '') return new Map();
  const manager = await host.openUnitManager();
  if (manager.kind !== 'dbus') return new Map();
  return new Map((await manager.getSummaries(units)).map((state) => [state.unit, state]));
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
