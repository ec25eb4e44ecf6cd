import { OperationalError } from '../../errors/operational-error.js';
import type { UnitRelations } from '../../systemd/unit-relations.js';
import { getContainer } from '../container-directory.js';
import type { Host } from '../host.js';
import { readDeployments } from '../list-containers.js';
import { UnitReader } from './unit-reader.js';

/** When the containers were started; all times in milliseconds, counted from when systemd began. */
export interface BootTimes {
  /** Sorted by how long they took, the slowest first. */
  readonly containers: readonly BootTime[];
}

/** How one container was started last. */
export interface BootTime {
  readonly container: string;
  readonly unit: string;
  /** Undefined where it was never started. */
  readonly startedAtMs: number | undefined;
  /** From then until it was active; undefined where it never became so. */
  readonly tookMs: number | undefined;
  /** Whether that was after the boot had come to its end: it was started by hand, or again. */
  readonly later: boolean;
  /** What it waited for last, and what that waited for, to the beginning: the way on which time can be won. */
  readonly chain: readonly BootLink[];
}

/** One unit of a {@link BootTime.chain}. */
export interface BootLink {
  readonly unit: string;
  readonly activeAtMs: number;
  readonly tookMs: number;
}

/** Where the manager's own time begins: the root slice is active from its first moment on. */
const FIRST_UNIT = '-.slice';
const BOOT_TARGETS = ['multi-user.target', 'graphical.target'] as const;

/** Longer chains are a cycle that was broken at boot. */
const MAX_CHAIN = 64;

/**
 * The times of the last start of each container, from the monotonic times that systemd keeps of every unit.
 *
 * @throws {@link OperationalError} SYSTEMD_UNAVAILABLE where nothing runs; CONTAINER_NOT_FOUND
 */
export async function readBootTimes(host: Host, names: readonly string[]): Promise<BootTimes> {
  if (host.paths.root !== '') {
    throw new OperationalError('USAGE', "'--boot' needs a running systemd");
  }
  for (const name of names) await getContainer(host.paths, name);
  const { deployments } = await readDeployments(host);
  const chosen = deployments.filter(({ name }) => names.length === 0 || names.includes(name));
  const reader = new UnitReader(host, await host.openUnitManager());
  const relations = await reader.readReachable(chosen.flatMap(({ units }) => units));
  const beginUs = (await reader.read(FIRST_UNIT))?.activeAtUs ?? 0;
  let bootedUs = 0;
  for (const target of BOOT_TARGETS)
    bootedUs = Math.max(bootedUs, (await reader.read(target))?.activeAtUs ?? 0);
  const containers = chosen.flatMap(({ name, units }) =>
    units.map((unit): BootTime => {
      const known = relations.get(unit);
      const started = known !== undefined && known.startingAtUs > 0;
      return {
        container: name,
        unit,
        startedAtMs: started ? toMs(known.startingAtUs - beginUs) : undefined,
        tookMs:
          started && known.activeAtUs >= known.startingAtUs
            ? toMs(known.activeAtUs - known.startingAtUs)
            : undefined,
        later: started && bootedUs > 0 && known.startingAtUs > bootedUs,
        chain: started ? criticalChain(known, { relations, beginUs }) : [],
      };
    }),
  );
  return { containers: containers.sort((a, b) => (b.tookMs ?? -1) - (a.tookMs ?? -1)) };
}

function toMs(us: number): number {
  return Math.round(us / 100) / 10;
}

/** As systemd-analyze(1) finds it: of all that a unit waited for, what became active last before it began. */
function criticalChain(
  unit: UnitRelations,
  from: { readonly relations: ReadonlyMap<string, UnitRelations>; readonly beginUs: number },
): readonly BootLink[] {
  const chain: BootLink[] = [];
  const seen = new Set([unit.unit]);
  for (let at = unit; chain.length < MAX_CHAIN;) {
    const startedUs = at.startingAtUs;
    const last = at.after
      .map((name) => from.relations.get(name))
      .filter((other) => other !== undefined)
      .filter(
        ({ unit: name, activeAtUs }) =>
          activeAtUs > 0 && activeAtUs <= startedUs && !seen.has(name),
      )
      .reduce<UnitRelations | undefined>(
        (latest, other) =>
          latest === undefined || other.activeAtUs > latest.activeAtUs ? other : latest,
        undefined,
      );
    if (last === undefined) return chain;
    seen.add(last.unit);
    chain.push({
      unit: last.unit,
      activeAtMs: toMs(last.activeAtUs - from.beginUs),
      tookMs: toMs(Math.max(0, last.activeAtUs - last.startingAtUs)),
    });
    at = last;
  }
  return chain;
}
