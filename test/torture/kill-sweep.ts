import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { recoverAll } from '../../src/containers/recover-all.js';
import type { Host } from '../../src/containers/host.js';
import { runOk } from '../support/run-command.js';
import { checkInvariants, STORE } from './check-invariants.js';
import { choosePoints, phaseOf } from './kill-points.js';
import { supervise, type SupervisedCall } from './supervise.js';
import { onTree } from './tree-host.js';
import {
  compareStates,
  readTreeState,
  stateBelow,
  stateWithout,
  type TreeState,
} from './tree-state.js';
import type { Violation } from './violation.js';
import { prepareTree, type TorturedVerb } from './verbs.js';

/** The program that is tortured. */
export const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** What a sweep found. */
export interface SweepResult {
  readonly verb: string;
  /** Calls of the undisturbed run that change something. */
  readonly calls: number;
  /** Points at which the command was killed, each kill asserted to have come. */
  readonly points: number;
  /** Points at which the run ended before its kill came, however often it was tried. */
  readonly missed: number;
  readonly violations: readonly string[];
}

/** Options of {@link sweepKills}. */
export interface SweepOptions {
  /** A folder of its own for the sweep's trees. */
  readonly folder: string;
  /** How many points at most. */
  readonly limit: number;
  /** Ends the sweep early, between two points. */
  readonly signal?: AbortSignal;
  readonly onPoint?: (point: SupervisedCall, violations: readonly string[]) => void;
}

/**
 * Kills a command at the calls that change something, one run for each, and looks at what is left: at once, after
 * `berth recover`, after the same command again, and after the opposite one. The last three start from what the kill
 * left, each from its own copy, so that none of them finds the work done by another.
 */
export async function sweepKills(verb: TorturedVerb, options: SweepOptions): Promise<SweepResult> {
  const sweep = new Sweep(verb, options);
  const calls = await sweep.undisturbed();
  const points = choosePoints(calls, { root: sweep.root, limit: options.limit });
  const violations: string[] = [];
  let killed = 0;
  let missed = 0;
  for (const point of points) {
    if (options.signal?.aborted === true) break;
    const found = await sweep.killAt(point);
    if (found === undefined) missed += 1;
    else {
      killed += 1;
      violations.push(...found);
    }
    options.onPoint?.(point, found ?? ['missed']);
  }
  return { verb: verb.name, calls: calls.length, points: killed, missed, violations };
}

/** How often a kill is tried whose run ended before it: another order of calls may have made the run shorter. */
const ATTEMPTS = 3;

class Sweep {
  readonly root: string;
  readonly #verb: TorturedVerb;
  readonly #start: string;
  readonly #broken: string;
  #old: TreeState = new Map();
  #now: TreeState = new Map();
  /** After the opposite of the finished command. */
  #back: TreeState = new Map();

  constructor(verb: TorturedVerb, options: SweepOptions) {
    this.#verb = verb;
    this.root = join(options.folder, 'root');
    this.#start = join(options.folder, 'start');
    this.#broken = join(options.folder, 'broken');
  }

  /** The calls of a run that nothing disturbs, and the states before and after it. */
  async undisturbed(): Promise<readonly SupervisedCall[]> {
    await prepareTree(this.root, this.#verb, onTree);
    renameSync(this.root, this.#start);
    await this.#reset(this.#start);
    this.#old = readTreeState(this.root);
    const run = await supervise(this.#argv(), { roots: [this.root] });
    if (run.status !== 0) throw new Error(`${this.#verb.name} failed: ${run.stderr}`);
    this.#now = readTreeState(this.root);
    await onTree(this.root, (host) => this.#verb.opposite(host));
    await onTree(this.root, prune);
    this.#back = readTreeState(this.root);
    return run.calls;
  }

  /** What is wrong after a kill at a point; undefined if the kill did not come. */
  async killAt(point: SupervisedCall): Promise<readonly string[] | undefined> {
    let killAt = point.number;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.#reset(this.#start);
      const run = await supervise(this.#argv(), { roots: [this.root], killAt });
      if (run.fired === 'killed') return this.#lookAt(run.calls.at(-1) ?? point);
      killAt = Math.min(killAt, run.calls.length);
    }
    return undefined;
  }

  async #lookAt(point: SupervisedCall): Promise<readonly string[]> {
    const where = `${this.#verb.name} killed at ${point.number} (${point.call} ${phaseOf(point, this.root)})`;
    const found: string[] = [];
    const between = [this.#old, this.#now] as const;
    const note = (when: string, violations: readonly Violation[]): void => {
      found.push(...violations.map(({ id, what }) => `${where}, ${when}: ${id} ${what}`));
    };
    const attempt = async (when: string, body: () => Promise<void>): Promise<void> => {
      try {
        await body();
      } catch (error) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        found.push(`${where}, ${when}: failed with ${text}`);
      }
    };
    rmSync(this.#broken, { recursive: true, force: true });
    await attempt('at once', async () => {
      note('at once', await checkInvariants(this.root, { moment: 'interrupted', between }));
    });
    renameSync(this.root, this.#broken);
    await attempt('after recover', async () => {
      await this.#from(this.#broken, recoverAll);
      note('after recover', await checkInvariants(this.root, { moment: 'recovered', between }));
    });
    await attempt('the same again', async () => {
      await this.#from(this.#broken, (host) => this.#verb.again(host));
      note('the same again', [
        ...(await checkInvariants(this.root, { moment: 'recovered', between })),
        ...this.#differences('I8', this.#now),
      ]);
    });
    await attempt('the opposite', async () => {
      await this.#from(this.#broken, (host) => this.#verb.opposite(host));
      // What an interrupted pull left goes with the next one, or with pruning.
      await onTree(this.root, prune);
      note('the opposite', [
        ...(await checkInvariants(this.root, { moment: 'recovered' })),
        ...this.#differences('I9', this.#back),
      ]);
    });
    return found;
  }

  /**
   * The whole tree has to be as expected. The store may lack or have what only an undisturbed run would have fetched, or
   * left, where the command went back; that it is sound is I5.
   */
  #differences(id: string, expected: TreeState): readonly Violation[] {
    const actual = readTreeState(this.root);
    const compare =
      id === 'I8'
        ? compareStates(expected, actual)
        : compareStates(stateWithout(expected, [STORE]), stateWithout(actual, [STORE]));
    // A store that was killed in the making is none yet; who makes it first clears up.
    const left = actual.has(`${STORE}/format`) ? stateBelow(actual, `${STORE}/tmp`) : new Map();
    const lines = left.size > 1 ? [...compare, `+ ${left.size - 1} in the store's tmp`] : compare;
    return lines.length === 0 ? [] : [{ id, what: `\n  ${lines.slice(0, 20).join('\n  ')}` }];
  }

  async #from(source: string, body: (host: Host) => Promise<unknown>): Promise<void> {
    await this.#reset(source);
    await onTree(this.root, body);
  }

  async #reset(source: string): Promise<void> {
    rmSync(this.root, { recursive: true, force: true });
    await runOk(['cp', '--archive', source, this.root]);
  }

  #argv(): readonly string[] {
    return [process.execPath, PROGRAM, '--root', this.root, ...this.#verb.argv];
  }
}

async function prune(host: Host): Promise<void> {
  await (await host.openStore()).prune({ keep: new Set() });
}
