import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { UnitDirective } from '../runtime/launch-plan.js';
import { UNIT_TYPES } from '../systemd/unit-name.js';
import type { ContainerDependencies } from './container-dependencies.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';

/** A container that is installed, or that the same command installs before. */
export type Neighbour = Pick<Deployment, 'name' | 'units' | 'dependencies'>;

/** What a container says of others, and beside whom it is to stand. */
export interface DependencyRequest {
  readonly name: string;
  readonly dependencies: ContainerDependencies;
  /** Containers that the same command installs. */
  readonly planned: readonly Neighbour[];
}

/** Whom the names mean on this host. */
export interface ResolvedDependencies {
  /** Units that have to run, that start before, and that start after; each sorted. */
  readonly requires: readonly string[];
  readonly after: readonly string[];
  readonly before: readonly string[];
  /** Units of containers that say themselves that they wait for this one. */
  readonly awaitedBy: readonly string[];
  /** Units of the host that are stopped when this one starts. */
  readonly conflicts: readonly string[];
  /** Requirements that nobody fulfils. */
  readonly missing: readonly string[];
  /** For a person: `requires etcd: the container etcd`. */
  readonly notes: readonly string[];
}

/**
 * Finds whom an image means by the names that it gives: a container of that name, one that provides it, or a unit of the
 * host. Orderings against names that nobody has are kept under that name: who has it may be installed later.
 *
 * @throws {@link OperationalError} DEPENDENCY_CONFLICT if either of two containers refuses to stand beside the other
 */
export async function resolveDependencies(
  host: Host,
  request: DependencyRequest,
): Promise<ResolvedDependencies> {
  const { name, dependencies } = request;
  const others = await listNeighbours(host, request);
  assertNoConflict(request, others);
  const found = {
    requires: new Set<string>(),
    after: new Set<string>(),
    before: new Set<string>(),
    awaitedBy: new Set<string>(),
    conflicts: new Set<string>(),
  };
  const missing: string[] = [];
  const notes: string[] = [];
  for (const wanted of dependencies.requires) {
    const match = await findMatch(host, others, wanted);
    if (match === undefined) {
      missing.push(wanted);
      continue;
    }
    notes.push(`requires ${wanted}: ${match.words}`);
    for (const unit of match.units) {
      found.requires.add(unit);
      found.after.add(unit);
    }
  }
  for (const kind of ['after', 'before'] as const) {
    for (const wanted of dependencies[kind]) {
      const match = await findMatch(host, others, wanted);
      for (const unit of match?.units ?? [unitOf(wanted)]) found[kind].add(unit);
      notes.push(`starts ${kind} ${wanted}: ${match?.words ?? 'not on this host at present'}`);
    }
  }
  for (const other of others) {
    if (saysSomething(other)) addWhatOthersSay(found, { other, request });
  }
  // Said to be before it, it is not after it for being required.
  for (const unit of found.before) found.after.delete(unit);
  for (const wanted of dependencies.conflicts) {
    // With containers it is the installation that is refused; units of the host are stopped.
    const match = await findMatch(host, [], wanted);
    for (const unit of match?.units ?? []) found.conflicts.add(unit);
    if (match !== undefined) notes.push(`stops ${wanted} when it starts: ${match.words}`);
  }
  for (const units of Object.values(found)) units.delete(`${name}.service`);
  return {
    requires: [...found.requires].sort(),
    after: [...found.after].sort(),
    before: [...found.before].sort(),
    awaitedBy: [...found.awaitedBy].sort(),
    conflicts: [...found.conflicts].sort(),
    missing,
    notes,
  };
}

/** The rows of the drop-in. */
export function dependencyDirectives(resolved: ResolvedDependencies): readonly UnitDirective[] {
  const rows = (key: string, units: readonly string[]): UnitDirective[] =>
    units.map((unit) => ['Unit', key, unit]);
  return [
    ...rows('Requires', resolved.requires),
    ...rows('After', resolved.after),
    ...rows('Before', resolved.before),
    ...rows('Conflicts', resolved.conflicts),
  ];
}

/** @throws {@link OperationalError} DEPENDENCY_MISSING naming all requirements that nobody fulfils */
export function assertNothingMissing(
  resolved: ResolvedDependencies,
  options: { readonly canInstall: boolean },
): void {
  const { missing } = resolved;
  if (missing.length === 0) return;
  const containers = missing.map(containerNameOf).filter((name) => name !== undefined);
  const commands = containers.map((name) => `'berth install ${name}'`).join(', ');
  throw new OperationalError(
    'DEPENDENCY_MISSING',
    `it requires ${missing.map(quote).join(', ')}, and no container and no unit of this host is that`,
    {
      hint:
        containers.length === missing.length
          ? `${options.canInstall ? `add '--with-dependencies', or ` : ''}run ${commands} first`
          : undefined,
    },
  );
}

/** The containers, by name, that require a container: by its name, or as the only one that provides what they require. */
export function findDependents(name: string, containers: readonly Neighbour[]): readonly string[] {
  const others = containers.filter((container) => container.name !== name);
  const own = containers.find((container) => container.name === name);
  if (own === undefined) return [];
  return others
    .filter((other) =>
      other.dependencies.requires.some(
        (wanted) =>
          answersTo(own, wanted) &&
          !others.some((third) => third !== other && answersTo(third, wanted)),
      ),
    )
    .map((other) => other.name);
}

/** Whether a container is meant by a name that an image gives. */
export function answersTo(container: Neighbour, wanted: string): boolean {
  return (
    container.name === containerNameOf(wanted) ||
    container.dependencies.provides.includes(wanted) ||
    container.units.includes(wanted)
  );
}

/** The container that a name would be: itself, or without `.service`; undefined for units of other types. */
export function containerNameOf(wanted: string): string | undefined {
  if (wanted.endsWith('.service')) return wanted.slice(0, -'.service'.length);
  return isUnitName(wanted) ? undefined : wanted;
}

interface Match {
  /** None for a container that has no service. */
  readonly units: readonly string[];
  readonly words: string;
}

async function findMatch(
  host: Host,
  others: readonly Neighbour[],
  wanted: string,
): Promise<Match | undefined> {
  const named = others.find((other) => other.name === containerNameOf(wanted));
  const container = named ?? others.find((other) => answersTo(other, wanted));
  if (container !== undefined) {
    return {
      units: container.units.slice(0, 1),
      words:
        named === undefined ? `the container ${container.name}, which provides it` : 'a container',
    };
  }
  const unit = unitOf(wanted);
  const manager = await host.openUnitManager();
  const file = await manager.findUnitFile(unit);
  if (file === undefined || file.state.startsWith('masked')) return undefined;
  return { units: [unit], words: `the unit ${unit} of this host` };
}

/** The unit that a name is where no container has it. */
export function unitOf(wanted: string): string {
  return isUnitName(wanted) ? wanted : `${wanted}.service`;
}

function isUnitName(name: string): boolean {
  return UNIT_TYPES.some((type) => name.endsWith(`.${type}`));
}

async function listNeighbours(
  host: Host,
  request: DependencyRequest,
): Promise<readonly Neighbour[]> {
  const { deployments } = await readDeployments(host);
  const coming = new Set(request.planned.map((container) => container.name));
  return [...deployments.filter((container) => !coming.has(container.name)), ...request.planned]
    .filter((container) => container.name !== request.name)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of a thousand, few do. */
function saysSomething({ dependencies }: Neighbour): boolean {
  const { requires, after, before, conflicts } = dependencies;
  return requires.length + after.length + before.length + conflicts.length > 0;
}

function assertNoConflict(request: DependencyRequest, others: readonly Neighbour[]): void {
  const { dependencies } = request;
  const self = neighbourOf(request);
  for (const other of others) {
    if (dependencies.conflicts.length === 0 && !saysSomething(other)) continue;
    const ours = dependencies.conflicts.find((wanted) => answersTo(other, wanted));
    const theirs = other.dependencies.conflicts.find((wanted) => answersTo(self, wanted));
    const conflict = ours ?? theirs;
    if (conflict === undefined) continue;
    throw new OperationalError(
      'DEPENDENCY_CONFLICT',
      ours === undefined
        ? `the container '${other.name}' must not stand beside ${quote(conflict)}`
        : `it must not stand beside ${quote(conflict)}, which the container '${other.name}' is`,
      { hint: `'berth uninstall ${other.name}' first` },
    );
  }
}

/**
 * Orderings that others gave against this one. Those by a name that it provides stand in nobody's drop-in: they were
 * installed when nobody had that name.
 */
function addWhatOthersSay(
  found: Readonly<Record<'after' | 'before' | 'awaitedBy', Set<string>>>,
  from: { readonly other: Neighbour; readonly request: DependencyRequest },
): void {
  const { other, request } = from;
  const unit = other.units[0];
  if (unit === undefined) return;
  const self = neighbourOf(request);
  const isProvided = (wanted: string): boolean => request.dependencies.provides.includes(wanted);
  for (const wanted of [...other.dependencies.after, ...other.dependencies.requires]) {
    if (isProvided(wanted)) found.before.add(unit);
    else if (answersTo(self, wanted)) found.awaitedBy.add(unit);
  }
  if (other.dependencies.before.some(isProvided)) found.after.add(unit);
}

function neighbourOf({ name, dependencies }: DependencyRequest): Neighbour {
  return { name, units: [`${name}.service`], dependencies };
}
