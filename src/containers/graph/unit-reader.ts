import { readFileBounded } from '../../base/bounded-read.js';
import { mapAtOnce } from '../../base/map-at-once.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { UnitManager } from '../../systemd/unit-manager.js';
import type { UnitRelations } from '../../systemd/unit-relations.js';
import { listAssignments, parseUnit, type UnitAssignment } from '../../systemd/unit-text.js';
import type { Host } from '../host.js';

/** Units that are looked at: 1,000 containers with what they wait for are half of it. */
const MAX_UNITS = 5_000;

/** Largest unit file that is read to find the line that says something. */
const MAX_UNIT_BYTES = 1_048_576;

/** Units that the manager is asked about at once: it works on the next while we read what it said of the last. */
const UNITS_AT_ONCE = 16;

/** Reads units and their files, each once. */
export class UnitReader {
  readonly #host: Host;
  readonly #manager: UnitManager;
  readonly #relations = new Map<string, UnitRelations>();
  readonly #files = new Map<string, readonly UnitAssignment[]>();
  readonly #directives = new Map<string, readonly PlacedDirective[]>();
  readonly #maxUnits: number;
  #truncated = false;

  constructor(host: Host, manager: UnitManager, maxUnits = MAX_UNITS) {
    this.#maxUnits = maxUnits;
    this.#host = host;
    this.#manager = manager;
  }

  /** Whether there were more units than are looked at. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** The units and all that they wait for, directly or not, and who waits for them directly. */
  async readReachable(units: readonly string[]): Promise<ReadonlyMap<string, UnitRelations>> {
    const asked = new Set(units);
    const next = new Set(units);
    for (let wave = [...next]; wave.length > 0;) {
      const found = await mapAtOnce(wave, UNITS_AT_ONCE, (unit) => this.#ask(unit));
      const queue: string[] = [];
      // In this order, whichever was answered first.
      for (const [index, unit] of wave.entries()) {
        const known = found[index];
        if (known === undefined) continue;
        this.#relations.set(unit, known);
        for (const other of asked.has(unit) ? [...known.after, ...known.before] : known.after) {
          if (next.has(other)) continue;
          if (next.size >= this.#maxUnits) {
            this.#truncated = true;
            break;
          }
          queue.push(other);
          next.add(other);
        }
      }
      wave = queue;
    }
    return this.#relations;
  }

  /** How a unit stands to others; undefined for a name that is none. */
  async read(unit: string): Promise<UnitRelations | undefined> {
    const known = this.#relations.get(unit) ?? (await this.#ask(unit));
    if (known !== undefined) this.#relations.set(unit, known);
    return known;
  }

  async #ask(unit: string): Promise<UnitRelations | undefined> {
    try {
      return await this.#manager.getRelations(unit);
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'NAME_INVALID') return undefined;
      throw error;
    }
  }

  /** The directives of a unit's files with the file that each stands in. */
  async directives(unit: string): Promise<readonly PlacedDirective[]> {
    const known = this.#directives.get(unit);
    if (known !== undefined) return known;
    const files = (await this.read(unit))?.files ?? [];
    const placed: PlacedDirective[] = [];
    for (const file of files) {
      for (const assignment of await this.#assignments(file)) placed.push({ ...assignment, file });
    }
    this.#directives.set(unit, placed);
    return placed;
  }

  async #assignments(file: string): Promise<readonly UnitAssignment[]> {
    let known = this.#files.get(file);
    if (known === undefined) {
      known = await this.#readFile(file);
      this.#files.set(file, known);
    }
    return known;
  }

  async #readFile(file: string): Promise<readonly UnitAssignment[]> {
    try {
      const path = this.#host.paths.onDisk(file);
      const content = await readFileBounded(path, { maxBytes: MAX_UNIT_BYTES });
      return listAssignments(parseUnit(content.toString('utf8')));
    } catch (error) {
      // Masked, gone meanwhile, or made up by a generator: the order holds all the same.
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return [];
      if (error instanceof OperationalError && error.code === 'LIMIT_EXCEEDED') return [];
      throw error;
    }
  }
}

/** A directive and the file that it stands in. */
export interface PlacedDirective extends UnitAssignment {
  readonly file: string;
}
