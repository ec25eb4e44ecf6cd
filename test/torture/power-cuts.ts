import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Host } from '../../src/containers/host.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { runCommand } from '../support/run-command.js';
import { checkInvariants, STORE } from './check-invariants.js';
import { PROGRAM } from './program.js';
import type { LoggedRequest } from './power/block-log.js';
import { type CrashState, crashStates } from './power/crash-states.js';
import type { FileSystemKind } from './power/file-systems.js';
import { LoggedDisk } from './power/logged-disk.js';
import { seededRandom } from './seeded-random.js';
import { supervise } from './supervise.js';
import { onTree } from './tree-host.js';
import { compareStates, readTreeState, stateWithout, type TreeState } from './tree-state.js';
import type { TorturedVerb } from './tortured-verb.js';
import { prepareTree } from './verbs.js';
import type { Violation } from './violation.js';

/** Options of {@link cutPower}. */
export interface PowerCutOptions {
  readonly fileSystem: FileSystemKind;
  /** An empty folder, in a mount namespace of this process alone. */
  readonly folder: string;
  /** How many states of the disk are looked at. */
  readonly states: number;
  readonly seed: number;
  /** Put before the command: what makes it a program that cannot hold. */
  readonly wrapper?: readonly string[];
  /** Nobody else syncs meanwhile. */
  readonly quiet?: boolean;
  readonly onState?: (number: number, violations: readonly string[]) => void;
}

/** What {@link cutPower} found. */
export interface PowerCutResult {
  readonly verb: string;
  readonly fileSystem: string;
  /** Writes of the command that reached the disk, and how often it was flushed. */
  readonly writes: number;
  readonly flushes: number;
  /** States that were looked at, and how many of them were cuts after the command had said that it is done. */
  readonly states: number;
  readonly afterSuccess: number;
  readonly violations: readonly string[];
}

/**
 * Runs a command on a disk whose requests are logged, and looks at what the disk would hold had the power been cut: after
 * each request, and with what was not flushed lost, in another order, or torn. Each state is mounted, looked at, and then
 * put in order by `berth recover`, by the same command again, or by the opposite one, in turn.
 */
export async function cutPower(
  verb: TorturedVerb,
  options: PowerCutOptions,
): Promise<PowerCutResult> {
  await using disk = await LoggedDisk.make(options.fileSystem, options.folder, (folder) =>
    prepareStart(rootIn(folder), verb),
  );
  const run = await runLogged(disk, verb, options);
  const states = statesOf(run, options);
  const back = await stateAfter(disk, run, (host) => verb.opposite(host));
  const violations: string[] = [];
  let afterSuccess = 0;
  for (const [number, state] of states.entries()) {
    const isAfterSuccess = state.whole >= run.durable;
    afterSuccess += isAfterSuccess ? 1 : 0;
    const found = await lookAt(disk, { run, state, number, isAfterSuccess, verb, back });
    const where = `${verb.name} on ${options.fileSystem.name}, state ${number} (${describe(state)})`;
    violations.push(...found.map((text) => `${where}, ${text}`));
    options.onState?.(number, found);
  }
  const writes = run.requests.slice(run.from).filter(({ isFlush }) => !isFlush).length;
  return {
    verb: verb.name,
    fileSystem: options.fileSystem.name,
    writes,
    flushes: run.requests.length - run.from - writes,
    states: states.length,
    afterSuccess,
    violations,
  };
}

async function prepareStart(root: string, verb: TorturedVerb): Promise<void> {
  await prepareTree(root, verb, onTree);
  const { broken } = verb;
  if (broken === undefined) return;
  const argv = [process.execPath, PROGRAM, '--root', root, ...broken.argv];
  const run = await supervise(argv, { roots: [root], killAtPlace: broken });
  if (run.fired !== 'killed') throw new Error(`${verb.name}: the start was not broken`);
}

/** berth works in a folder of the disk: what a file system makes in its own is none of its business. */
function rootIn(folder: string): string {
  return join(folder, 'root');
}

interface LoggedRun {
  readonly requests: readonly LoggedRequest[];
  /** Index of the first request of the command. */
  readonly from: number;
  /** Index after the last flush that was over when the command said that it is done: all that it may rely on. */
  readonly durable: number;
  /** The tree before and after it. */
  readonly old: TreeState;
  readonly now: TreeState;
}

async function runLogged(
  disk: LoggedDisk,
  verb: TorturedVerb,
  options: PowerCutOptions,
): Promise<LoggedRun> {
  const root = rootIn(disk.folder);
  let from = 0;
  let success = 0;
  let old: TreeState = new Map();
  let now: TreeState = new Map();
  const requests = await disk.log(async (mark) => {
    old = readTreeState(root);
    from = mark();
    await using neighbour =
      options.quiet === true ? undefined : startNeighbour(join(disk.folder, 'neighbour'));
    const argv = [process.execPath, PROGRAM, '--root', root, ...verb.argv];
    const { status, stderr } = await runCommand([...(options.wrapper ?? []), ...argv]);
    success = mark();
    if (status !== 0) throw new Error(`${verb.name} failed: ${stderr}`);
    await neighbour?.stop();
    now = readTreeState(root);
  });
  const indexOf = (place: number): number => {
    const index = requests.findIndex(({ end }) => end > place);
    return index < 0 ? requests.length : index;
  };
  const flushes = requests.map(({ isFlush }, index) => (isFlush ? index : -1));
  const done = indexOf(success);
  const durable = Math.max(
    indexOf(from),
    flushes.findLast((index) => index >= 0 && index < done) ?? 0,
  );
  return { requests, from: indexOf(from), durable: durable + 1, old, now };
}

/** A quarter of the states are cuts after success. */
function statesOf(run: LoggedRun, options: PowerCutOptions): readonly CrashState[] {
  const random = seededRandom(options.seed);
  const { atomicSectors } = options.fileSystem;
  const late = Math.ceil(options.states / 4);
  const { from, durable, requests } = run;
  const after = crashStates(requests, {
    ...{ from: durable, to: requests.length, count: late },
    ...{ atomicSectors, random },
  });
  const before = crashStates(requests, {
    ...{ from, to: durable, count: options.states - after.length },
    ...{ atomicSectors, random },
  });
  return [...before, ...after];
}

/** How often the neighbour syncs its file. */
const NEIGHBOUR_MS = 10;

/**
 * Another program that syncs a file of its own all the time. That brings to the disk what file systems do with names and
 * sizes, and not the content of other programs' files: what was not synced is torn far more often than on a quiet disk.
 */
function startNeighbour(path: string): AsyncDisposable & { stop(): Promise<void> } {
  const stopped = new AbortController();
  const work = (async (): Promise<void> => {
    await using file = await open(path, 'w');
    for (let count = 0; !stopped.signal.aborted; count++) {
      await file.write(`${count}\n`);
      await file.sync();
      await delay(NEIGHBOUR_MS);
    }
  })();
  const stop = async (): Promise<void> => {
    stopped.abort();
    await work;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** The tree after the finished command and what `body` does then. */
async function stateAfter(
  disk: LoggedDisk,
  run: LoggedRun,
  body: (host: Host) => Promise<unknown>,
): Promise<TreeState> {
  await disk.mountState(run.requests, { kind: 'prefix', whole: run.requests.length, also: [] });
  try {
    await onTree(rootIn(disk.folder), body);
    return readTreeState(rootIn(disk.folder));
  } finally {
    await disk.unmount();
  }
}

interface Look {
  readonly run: LoggedRun;
  readonly state: CrashState;
  readonly number: number;
  readonly isAfterSuccess: boolean;
  readonly verb: TorturedVerb;
  readonly back: TreeState;
}

async function lookAt(disk: LoggedDisk, look: Look): Promise<readonly string[]> {
  try {
    await disk.mountState(look.run.requests, look.state);
  } catch (error) {
    return [`the file system cannot be mounted: ${String(error)}`];
  }
  try {
    return await lookAtTree(rootIn(disk.folder), look);
  } finally {
    await disk.unmount();
  }
}

async function lookAtTree(root: string, look: Look): Promise<readonly string[]> {
  const { run, verb, number, back } = look;
  const { secrets = [] } = verb;
  // Recovery that cannot finish an install, for whatever reason, takes it back.
  const ends = verb.broken === undefined ? [run.now] : [run.now, back];
  const between = [run.old, ...ends];
  const found: string[] = [];
  const attempt = async (
    when: string,
    body: () => Promise<readonly Violation[]>,
  ): Promise<void> => {
    try {
      found.push(...(await body()).map(({ id, what }) => `${when}: ${id} ${what}`));
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      found.push(`${when}: failed with ${text}`);
    }
  };
  await attempt('at once', async () => {
    const wrong = await checkInvariants(root, { moment: 'interrupted', between, secrets });
    // What had been removed may be back: more is left than by a kill, and recovery removes it all the same.
    return wrong.filter(({ id }) => id !== 'I13');
  });
  if (look.isAfterSuccess || number % 3 === 0) {
    await attempt('after recover', async () => {
      await onTree(root, recoverAll);
      const lost = look.isAfterSuccess
        ? differences('I11', [run.now], { root, without: TEMPORARY })
        : [];
      return [...(await checkInvariants(root, { moment: 'recovered', between, secrets })), ...lost];
    });
  }
  if (number % 3 === 2) {
    await attempt('the opposite', async () => {
      await onTree(root, (host) => verb.opposite(host));
      const left = verb.oppositeMayStay ? [back, run.old] : [back];
      const wrong = differences('I9', left, { root, without: [STORE] });
      return [...(await checkInvariants(root, { moment: 'recovered', secrets })), ...wrong];
    });
  } else {
    await attempt('the same again', async () => {
      await onTree(root, (host) => verb.again(host));
      const wrong = differences('I8', ends, { root, without: TEMPORARY });
      return [
        ...(await checkInvariants(root, { moment: 'recovered', between, secrets })),
        ...wrong,
      ];
    });
  }
  return found;
}

/** What a writer of the store makes aside is removed by the next writer; a command that has nothing to write is none. */
const TEMPORARY = [`${STORE}/tmp`];

/** How the tree differs from what it may be, where it differs least. */
function differences(
  id: string,
  expected: readonly TreeState[],
  { root, without }: { readonly root: string; readonly without: readonly string[] },
): readonly Violation[] {
  const actual = stateWithout(readTreeState(root), without);
  const lines = expected
    .map((state) => compareStates(stateWithout(state, without), actual))
    .reduce((a, b) => (b.length < a.length ? b : a));
  return lines.length === 0 ? [] : [{ id, what: `\n  ${lines.slice(0, 20).join('\n  ')}` }];
}

function describe(state: CrashState): string {
  const also = state.also.length === 0 ? '' : ` and ${state.also.join(',')}`;
  const torn = state.tornSectors === undefined ? '' : ` with ${state.tornSectors} sectors`;
  return `${state.kind}: the first ${state.whole} requests${also}${torn}`;
}
