import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { pruneImages } from '../../src/containers/prune-images.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import type { Host } from '../../src/containers/host.js';
import { runOk } from '../support/run-command.js';
import { checkInvariants, type InvariantOptions, STORE } from './check-invariants.js';
import { PROGRAM } from './program.js';
import { phaseOf } from './kill-points.js';
import { supervise, type Supervised, type SupervisedCall, type Supervision } from './supervise.js';
import { onTree } from './tree-host.js';
import {
  compareStates,
  readTreeState,
  stateBelow,
  stateWithout,
  type TreeState,
  withoutLinkCounts,
} from './tree-state.js';
import type { TorturedVerb } from './tortured-verb.js';
import { prepareTree } from './verbs.js';
import type { Violation } from './violation.js';

/**
 * A tree that one command is run on again and again, each time from the same start: what the command leaves, disturbed in
 * whatever way, is held against what it does undisturbed.
 */
export class Ground {
  readonly verb: TorturedVerb;
  readonly root: string;
  readonly #start: string;
  readonly #broken: string;
  #old: TreeState = new Map();
  #now: TreeState = new Map();
  /** Before the command that broke the start, where there was one. */
  #unbroken: TreeState | undefined;
  /** After each of the stages. */
  #stages: readonly TreeState[] = [];
  /** Whether copies may stand where there would be links: files were refused one. */
  #hasCopies = false;
  /** What the last run wrote. */
  #said = '';
  /** After the opposite of the finished command. */
  #back: TreeState = new Map();

  /** `folder` is the ground's own, and exists. */
  constructor(verb: TorturedVerb, folder: string) {
    this.verb = verb;
    this.root = join(folder, 'root');
    this.#start = join(folder, 'start');
    this.#broken = join(folder, 'broken');
  }

  /** Makes the start, and gives the calls of a run that nothing disturbs. */
  async prepare(options: { readonly reads?: boolean } = {}): Promise<readonly SupervisedCall[]> {
    await prepareTree(this.root, this.verb, onTree);
    const { broken } = this.verb;
    if (broken !== undefined) {
      this.#unbroken = readTreeState(this.root);
      const run = await supervise(this.#argv(broken.argv), {
        roots: [this.root],
        killAtPlace: broken,
      });
      if (run.fired !== 'killed') throw new Error(`${this.verb.name}: the start was not broken`);
    }
    renameSync(this.root, this.#start);
    const run = await this.run({ ...options });
    if (run.status !== 0) throw new Error(`${this.verb.name} failed: ${run.stderr}`);
    this.#now = readTreeState(this.root);
    await onTree(this.root, (host) => this.verb.opposite(host));
    await onTree(this.root, prune);
    this.#back = readTreeState(this.root);
    this.#stages = await this.#reachStages();
    await this.#reset(this.#start);
    this.#old = readTreeState(this.root);
    return run.calls;
  }

  /** Runs the command from the start, under supervision. */
  async run(supervision: Omit<Supervision, 'roots'>): Promise<Supervised> {
    await this.#reset(this.#start);
    this.#hasCopies =
      supervision.fail !== undefined &&
      LINK_REFUSED.has(supervision.fail.errno) &&
      supervision.calls?.every((call) => call.startsWith('link')) === true;
    const run = await supervise(this.#argv(this.verb.argv), { roots: [this.root], ...supervision });
    this.#said = run.stdout + run.stderr;
    return run;
  }

  async #reachStages(): Promise<readonly TreeState[]> {
    const states: TreeState[] = [];
    for (const argv of this.verb.stages ?? []) {
      await this.#reset(this.#start);
      await runOk(this.#argv(argv));
      states.push(readTreeState(this.root));
    }
    return states;
  }

  /** How the tree of the last run differs from before it, or from what a success leads to; the store aside. */
  differencesFrom(side: 'old' | 'now'): readonly string[] {
    const actual = stateWithout(readTreeState(this.root), [STORE]);
    return nearest(side === 'old' ? [this.#old] : this.#ends(), (expected) =>
      this.#compare(stateWithout(expected, [STORE]), actual),
    );
  }

  /** What a success may lead to. Recovery that cannot finish a command, for whatever reason, takes it back. */
  #ends(): readonly TreeState[] {
    return this.#unbroken === undefined ? [this.#now] : [this.#now, this.#unbroken];
  }

  /**
   * Looks at what the last run left: at once, after `berth recover`, after the same command again, and after the opposite
   * one. The last three start from what was left, each from its own copy, so that none finds the work done by another.
   */
  async aftermath(where: string): Promise<readonly string[]> {
    const found: string[] = [];
    const { secrets = [], isDamaged = false } = this.verb;
    const between = [this.#old, ...this.#stages, ...this.#ends()];
    const check = async (
      moment: InvariantOptions['moment'],
      when: { readonly isDone: boolean },
    ): Promise<readonly Violation[]> => {
      // What was damaged and is not mended yet is no state that anybody would be held against.
      const isBad = isDamaged && !when.isDone;
      const hasCopies = this.#hasCopies;
      const options = { moment, secrets, hasCopies, ...(isBad || when.isDone ? {} : { between }) };
      const wrong = await checkInvariants(this.root, options);
      return isBad ? wrong.filter(({ id }) => !DAMAGE.has(id)) : wrong;
    };
    for (const secret of secrets)
      if (this.#said.includes(secret)) found.push(`${where}: I16 it told a secret: ${this.#said}`);
    const attempt = async (
      when: string,
      body: () => Promise<readonly Violation[]>,
    ): Promise<void> => {
      try {
        for (const { id, what } of await body()) found.push(`${where}, ${when}: ${id} ${what}`);
      } catch (error) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        found.push(`${where}, ${when}: failed with ${text}`);
      }
    };
    rmSync(this.#broken, { recursive: true, force: true });
    await attempt('at once', () => check('interrupted', { isDone: false }));
    renameSync(this.root, this.#broken);
    await attempt('after recover', async () => {
      await this.#fromBroken(recoverAll);
      return check('recovered', { isDone: false });
    });
    await attempt('the same again', async () => {
      await this.#fromBroken((host) => this.verb.again(host));
      return [
        ...(await check('recovered', { isDone: true })),
        ...this.#settled('I8', this.#ends()),
      ];
    });
    await attempt('the opposite', async () => {
      await this.#fromBroken((host) => this.verb.opposite(host));
      // What an interrupted pull left goes with the next one, or with pruning.
      await onTree(this.root, prune);
      return [
        ...(await check('recovered', { isDone: true })),
        ...this.#settled('I9', this.verb.oppositeMayStay ? [this.#back, this.#old] : [this.#back]),
      ];
    });
    return found;
  }

  /** What is wrong with the tree of the last run in itself, whatever it has become: at once, and after `berth recover`. */
  async sound(where: string): Promise<readonly string[]> {
    const { secrets = [] } = this.verb;
    const found: string[] = [];
    const look = async (when: string, moment: InvariantOptions['moment']): Promise<void> => {
      for (const { id, what } of await checkInvariants(this.root, { moment, secrets }))
        found.push(`${where}, ${when}: ${id} ${what}`);
    };
    await look('at once', 'interrupted');
    await onTree(this.root, recoverAll);
    await look('after recover', 'recovered');
    return found;
  }

  /**
   * The whole tree has to be as expected. After the opposite command, the store may lack what only an undisturbed run would
   * have fetched; that it is sound is I5.
   */
  #settled(id: string, ends: readonly TreeState[]): readonly Violation[] {
    const actual = readTreeState(this.root);
    const lines = [
      ...nearest(ends, (expected) =>
        id === 'I8' && this.#unbroken === undefined
          ? this.#compare(expected, actual)
          : this.#compare(stateWithout(expected, [STORE]), stateWithout(actual, [STORE])),
      ),
    ];
    // A store that was killed in the making is none yet; who makes it first clears up.
    const left = actual.has(`${STORE}/format`) ? stateBelow(actual, `${STORE}/tmp`).size - 1 : 0;
    if (left > 0) lines.push(`+ ${left} in the store's tmp`);
    return lines.length === 0 ? [] : [{ id, what: `\n  ${lines.slice(0, 20).join('\n  ')}` }];
  }

  #compare(expected: TreeState, actual: TreeState): readonly string[] {
    return this.#hasCopies
      ? compareStates(withoutLinkCounts(expected), withoutLinkCounts(actual))
      : compareStates(expected, actual);
  }

  async #fromBroken(body: (host: Host) => Promise<unknown>): Promise<void> {
    await this.#reset(this.#broken);
    await onTree(this.root, body);
  }

  async #reset(source: string): Promise<void> {
    rmSync(this.root, { recursive: true, force: true });
    await runOk(['cp', '--archive', source, this.root]);
  }

  #argv(command: readonly string[]): readonly string[] {
    return [process.execPath, PROGRAM, '--root', this.root, ...command];
  }
}

/** What a file system says that does not make a link of this file: a copy is as good. */
const LINK_REFUSED: ReadonlySet<string> = new Set(['EPERM', 'EXDEV', 'EMLINK']);

/** What says that something is damaged. */
const DAMAGE: ReadonlySet<string> = new Set(['I1', 'I5']);

/** A call in words that are the same in each run. */
export function describeCall(call: SupervisedCall, root: string): string {
  return `${call.number} (${call.call} ${phaseOf(call, root)})`;
}

/** The fewest differences. */
function nearest(
  states: readonly TreeState[],
  compare: (state: TreeState) => readonly string[],
): readonly string[] {
  return states.map(compare).reduce((a, b) => (b.length < a.length ? b : a));
}

async function prune(host: Host): Promise<void> {
  await pruneImages(host, { all: false });
}
