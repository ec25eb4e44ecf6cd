import { isTemplateName } from '../base/container-name.js';
import { instanceName } from '../systemd/unit-name.js';
import type { UnitState } from '../systemd/unit-manager.js';
import {
  findControlGroup,
  listGroupProcesses,
  readBeginning,
  readGroupUsage,
  readIfThere,
  type GroupUsage,
} from './control-group.js';
import { findService, type FoundService } from './find-service.js';
import type { Host } from './host.js';
import { findActiveInstances, readDeployments, statesOf } from './list-containers.js';

/** One process of a running container, as the host sees it. */
export interface ContainerProcess {
  readonly name: string;
  readonly pid: number;
  readonly parentPid: number;
  /** On the host. */
  readonly uid: number;
  readonly threads: number;
  /** Of the processor, so far. */
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** As the program set it: escape it before it is shown. */
  readonly command: string;
}

/** What a running container uses; without what runs nothing is known. */
export interface ContainerUsage extends Partial<GroupUsage> {
  readonly name: string;
  readonly state: string;
  /** Since when it is active, in microseconds since the epoch; 0 if it is not. */
  readonly activeSinceUs: bigint;
}

/** `sysconf(_SC_CLK_TCK)`, which Linux gives as 100 on every architecture that Node runs on. */
const TICK_MS = 10;

/**
 * Lists the processes of containers: of the named ones, or of all that run; those of `berth exec` are none of the
 * service, and not listed.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND
 */
export async function listContainerProcesses(
  host: Host,
  names: readonly string[],
): Promise<readonly ContainerProcess[]> {
  const processes: ContainerProcess[] = [];
  for (const { name, group } of await findGroups(host, names)) {
    for (const pid of group === undefined ? [] : await listGroupProcesses(group)) {
      const process = await readProcess(name, pid);
      if (process !== undefined) processes.push(process);
    }
  }
  return processes;
}

/** What containers use: the named ones, or all. @throws OperationalError CONTAINER_NOT_FOUND */
export async function getContainerUsage(
  host: Host,
  names: readonly string[],
): Promise<readonly ContainerUsage[]> {
  const all: ContainerUsage[] = [];
  for (const { name, activeState, state, group } of await findGroups(host, names)) {
    const active = state?.activeState === 'active';
    all.push({
      name,
      state: activeState,
      activeSinceUs: active ? state.activeEnterTimestampUs : 0n,
      ...(group === undefined ? {} : await readGroupUsage(group)),
    });
  }
  return all;
}

interface FoundGroup {
  readonly name: string;
  readonly activeState: string;
  /** Undefined where nothing runs, and nobody was asked. */
  readonly state: UnitState | undefined;
  /** Undefined where nothing runs. */
  readonly group: string | undefined;
}

async function findGroups(host: Host, names: readonly string[]): Promise<readonly FoundGroup[]> {
  const services: (Omit<FoundService, 'activators'> & { readonly name: string })[] = [];
  const add = async (name: string): Promise<void> => {
    const found = await findService(host, name);
    if (!isTemplateName(name)) return void services.push({ name, ...found });
    for (const unit of (await findActiveInstances(host, found.deployment)) ?? [])
      services.push({ name: instanceName(unit), deployment: found.deployment, unit });
  };
  if (names.length > 0) for (const name of names) await add(name);
  else for (const { name } of (await readDeployments(host)).deployments) await add(name);
  const units = services.flatMap(({ unit }) => (unit === undefined ? [] : [unit]));
  const idle = await findIdle(host, units);
  const states = await statesOf(
    host,
    units.filter((unit) => !idle.has(unit)),
  );
  const groups: FoundGroup[] = [];
  for (const { name, unit } of services) {
    if (unit === undefined) continue;
    const state = states.get(unit);
    const pid = state?.mainPid;
    groups.push({
      name,
      activeState: state?.activeState ?? (idle.has(unit) ? 'inactive' : 'unknown'),
      state,
      group: pid === undefined ? undefined : await findControlGroup(unit, pid),
    });
  }
  return groups;
}

/** Asking systemd for all that it knows of a unit takes half a millisecond; which of a thousand run, twenty in all. */
const MANY_UNITS = 40;

/** Where there are many units, those of which nothing runs; of few, each is asked for. */
async function findIdle(host: Host, units: readonly string[]): Promise<ReadonlySet<string>> {
  if (units.length < MANY_UNITS || host.paths.root !== '') return new Set();
  const manager = await host.openUnitManager();
  const summaries = await manager.getSummaries(() => units);
  return new Set(
    summaries.filter(({ activeState }) => activeState === 'inactive').map(({ unit }) => unit),
  );
}

/** Longest command line that is shown: a process may have megabytes of it, and a container tens of thousands of these. */
const MAX_COMMAND_BYTES = 4096;

/** Undefined for one that ended meanwhile. */
async function readProcess(name: string, pid: number): Promise<ContainerProcess | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  const status = await readIfThere(`/proc/${pid}/status`);
  const line = await readBeginning(`/proc/${pid}/cmdline`, MAX_COMMAND_BYTES);
  if (stat === undefined || status === undefined) return undefined;
  // proc_pid_stat(5): the program's name stands in brackets and may hold brackets itself.
  const title = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const words = (line ?? '').split('\0').filter((word) => word !== '');
  return {
    name,
    pid,
    parentPid: field(4),
    uid: Number(/^Uid:\t(\d+)/m.exec(status)?.[1]),
    threads: field(20),
    cpuMs: (field(14) + field(15)) * TICK_MS,
    residentBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024,
    command: words.length === 0 ? `[${title}]` : words.join(' '),
  };
}
