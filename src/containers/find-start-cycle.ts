import { OperationalError } from '../errors/operational-error.js';
import { getValue, getWords, type UnitDocument } from '../systemd/unit-text.js';
import type { UnitManager } from '../systemd/unit-manager.js';
import type { ResolvedDependencies } from './resolve-dependencies.js';

/** Units looked at for one container: a large host has about 1,000, with 1,000 containers twice that. */
const MAX_UNITS = 5_000;

/** A unit that is not there yet, and whom it waits for. */
export interface UnitToCome {
  readonly unit: string;
  readonly after: readonly string[];
  /** Units that will wait for it. */
  readonly before: readonly string[];
  /** Whether it takes the place of one that is there, whose orderings no longer count. */
  readonly replaces: boolean;
}

/** How the unit of a container will be ordered: by its image's text, by berth's drop-in, and by systemd itself. */
export function orderingsOf(
  unit: string,
  from: {
    readonly document: UnitDocument;
    readonly resolved: ResolvedDependencies;
    readonly replaces: boolean;
  },
): UnitToCome {
  const { document, resolved, replaces } = from;
  const words = (section: string, key: string): readonly string[] =>
    getWords(document, section, key).filter((word) => !word.includes('%'));
  const byDefault = !/^(?:no|false|off|0)$/i.test(
    getValue(document, 'Unit', 'DefaultDependencies') ?? 'yes',
  );
  const after = new Set([
    ...resolved.after,
    ...words('Unit', 'After'),
    ...(byDefault ? ['sysinit.target', 'basic.target'] : []),
  ]);
  const before = new Set([...resolved.before, ...resolved.awaitedBy, ...words('Unit', 'Before')]);
  // A target waits for what it wants, unless that is said to wait for the target (systemd.target(5)).
  for (const key of ['WantedBy', 'RequiredBy']) {
    for (const target of words('Install', key)) {
      if (target.endsWith('.target') && !after.has(target)) before.add(target);
    }
  }
  return { unit, after: [...after], before: [...before], replaces };
}

/**
 * Refuses units that would wait for each other, directly or through units of the host: systemd would break such a cycle
 * at boot by not starting one of them.
 *
 * @throws {@link OperationalError} DEPENDENCY_CYCLE naming it: `a -> b -> c -> a`
 */
export async function assertNoStartCycle(
  manager: UnitManager,
  coming: readonly UnitToCome[],
): Promise<void> {
  const search = new CycleSearch(manager, coming);
  for (const { unit } of coming) {
    const cycle = await search.from(unit);
    if (cycle === undefined) continue;
    const names = cycle.map((name) => name.replace(/\.service$/, ''));
    throw new OperationalError(
      'DEPENDENCY_CYCLE',
      `these would wait for each other to start: ${names.join(' -> ')}`,
      { hint: "'berth graph' shows who waits for whom, and who says so" },
    );
  }
}

class CycleSearch {
  readonly #manager: UnitManager;
  readonly #after = new Map<string, readonly string[]>();
  readonly #coming = new Map<string, readonly string[]>();
  readonly #replaced: ReadonlySet<string>;

  constructor(manager: UnitManager, coming: readonly UnitToCome[]) {
    this.#manager = manager;
    this.#replaced = new Set(coming.filter(({ replaces }) => replaces).map(({ unit }) => unit));
    const add = (unit: string, waitsFor: readonly string[]): void => {
      this.#coming.set(unit, [...(this.#coming.get(unit) ?? []), ...waitsFor]);
    };
    for (const { unit, after, before } of coming) {
      add(unit, after);
      for (const other of before) add(other, [unit]);
    }
  }

  /** The way from a unit back to itself, with it at both ends; each waits for the next. */
  async from(start: string): Promise<readonly string[] | undefined> {
    const path: { unit: string; rest: string[] }[] = [
      { unit: start, rest: [...(await this.#waitsFor(start))] },
    ];
    const seen = new Set<string>();
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) {
        path.pop();
        continue;
      }
      if (next === start) return [...path.map(({ unit }) => unit), start];
      if (seen.has(next) || seen.size >= MAX_UNITS) continue;
      seen.add(next);
      path.push({ unit: next, rest: [...(await this.#waitsFor(next))] });
    }
    return undefined;
  }

  async #waitsFor(unit: string): Promise<readonly string[]> {
    let after = this.#after.get(unit);
    if (after === undefined) {
      after = [...(await this.#known(unit)), ...(this.#coming.get(unit) ?? [])];
      this.#after.set(unit, after);
    }
    return after;
  }

  /** What the manager knows; units of a kind that it never has to read from a file begin no cycle. */
  async #known(unit: string): Promise<readonly string[]> {
    if (/\.(?:device|scope|slice)$/.test(unit) || this.#replaced.has(unit)) return [];
    const { after } = await this.#manager.getRelations(unit);
    return after.filter((other) => !this.#replaced.has(other));
  }
}
