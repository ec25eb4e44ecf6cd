import type { ContainerBrief } from '../container-brief.js';
import type { Host } from '../host.js';
import { readDeployments } from '../list-containers.js';
import { getContainer } from '../container-directory.js';
import { PULL_DIRECTIVES, PULLS, type UnitRelations } from '../../systemd/unit-relations.js';
import { explainOrder, type Reason } from './explain-order.js';
import { findCycles } from './find-cycles.js';
import { UnitReader } from './unit-reader.js';

/** Who starts before whom. */
export interface StartGraph {
  /** Sorted by unit. */
  readonly nodes: readonly GraphNode[];
  /** Sorted by `then`, then by `first`. */
  readonly edges: readonly GraphEdge[];
  /** Each a way from a unit back to itself, it at both ends; each waits for the next. */
  readonly cycles: readonly (readonly string[])[];
  /** Whether there were more units than are looked at. */
  readonly truncated: boolean;
}

/** A unit of the graph. */
export interface GraphNode {
  readonly unit: string;
  /** The container whose service it is. */
  readonly container: string | undefined;
  readonly loadState: string;
  /** Monotonic microseconds at which it last began to start, and was started; 0 if never, or where nothing runs. */
  readonly startingAtUs: number;
  readonly activeAtUs: number;
}

/** Two units, and how they stand to each other. */
export interface GraphEdge {
  readonly first: string;
  readonly then: string;
  /** Whether `then` waits for `first`; else it only brings it along. */
  readonly ordered: boolean;
  /** Directives by which `then` brings `first` along: `Requires`, `Wants`, … */
  readonly pulls: readonly string[];
  readonly reasons: readonly Reason[];
  /** Whether it is one that systemd gives every service. */
  readonly usual: boolean;
}

/** Which part of the graph. */
export interface GraphOptions {
  /** Containers to show, with whom they stand to directly; all where none are named. */
  readonly names: readonly string[];
  /** Also the orderings that every service has. */
  readonly all: boolean;
  /** Units that are looked at; 5,000 unless given. */
  readonly maxUnits?: number;
}

/**
 * The graph of the installed containers and of the units that they wait for, that wait for them, or that they bring along,
 * with the reason of each: the line of a file, the image, or a rule of systemd. Cycles are looked for through all units that
 * can be reached.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND
 */
export async function readStartGraph(host: Host, options: GraphOptions): Promise<StartGraph> {
  for (const name of options.names) await getContainer(host.paths, name);
  const { deployments } = await readDeployments(host);
  const containers = new Map(
    deployments.flatMap((deployment) =>
      deployment.units.map((unit) => [unit, deployment] as const),
    ),
  );
  const reader = new UnitReader(host, await host.openUnitManager(), options.maxUnits);
  const chosen = [...containers]
    .filter(([, { name }]) => options.names.length === 0 || options.names.includes(name))
    .map(([unit]) => unit);
  const relations = await reader.readReachable(chosen);
  const edges = await collectEdges({ reader, relations, containers, chosen: new Set(chosen) });
  const shown = edges.filter((edge) => options.all || !edge.usual);
  const units = new Set([...chosen, ...shown.flatMap(({ first, then }) => [first, then])]);
  return {
    nodes: [...units].sort().map((unit) => describeNode(unit, { relations, containers })),
    edges: shown,
    cycles: findCycles(waitsFor(relations)),
    truncated: reader.truncated,
  };
}

interface Collected {
  readonly reader: UnitReader;
  readonly relations: ReadonlyMap<string, UnitRelations>;
  readonly containers: ReadonlyMap<string, ContainerBrief>;
  readonly chosen: ReadonlySet<string>;
}

function describeNode(unit: string, from: Pick<Collected, 'relations' | 'containers'>): GraphNode {
  const known = from.relations.get(unit);
  return {
    unit,
    container: from.containers.get(unit)?.name,
    loadState: known?.loadState ?? 'unknown',
    startingAtUs: known?.startingAtUs ?? 0,
    activeAtUs: known?.activeAtUs ?? 0,
  };
}

/** Who waits for whom, from both sides: what a tree says of `Before=` is only known from the unit that says it. */
function waitsFor(
  relations: ReadonlyMap<string, UnitRelations>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const after = new Map<string, Set<string>>();
  const add = (then: string, first: string): void => {
    const known = after.get(then) ?? new Set();
    after.set(then, known.add(first));
  };
  for (const { unit, after: firsts, before } of relations.values()) {
    for (const first of firsts) add(unit, first);
    for (const then of before) add(then, unit);
  }
  return after;
}

async function collectEdges(from: Collected): Promise<readonly GraphEdge[]> {
  const { relations, chosen, reader, containers } = from;
  const after = waitsFor(relations);
  const pairs = new Map<string, { first: string; then: string; pulls: Set<string> }>();
  const pair = (first: string, then: string): { readonly pulls: Set<string> } => {
    const key = `${first} ${then}`;
    const known = pairs.get(key) ?? { first, then, pulls: new Set<string>() };
    pairs.set(key, known);
    return known;
  };
  for (const [then, firsts] of after) {
    for (const first of firsts) if (chosen.has(then) || chosen.has(first)) pair(first, then);
  }
  for (const known of relations.values()) {
    for (const kind of PULLS) {
      for (const first of known[kind]) {
        if (chosen.has(known.unit) || chosen.has(first))
          pair(first, known.unit).pulls.add(PULL_DIRECTIVES[kind]);
      }
    }
  }
  const edges: GraphEdge[] = [];
  for (const { first, then, pulls } of pairs.values()) {
    const ordered = after.get(then)?.has(first) === true;
    const explained = await explainOrder({ first, then, pulls, ordered }, { reader, containers });
    edges.push({ first, then, ordered, pulls: [...pulls].sort(), ...explained });
  }
  const key = (edge: GraphEdge): string => `${edge.then} ${edge.first}`;
  return edges.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
