import { ExitStatus } from '../../src/errors/exit-status.js';
import { describeCall, Ground } from './ground.js';
import { phaseOf } from './kill-points.js';
import type { Supervised, SupervisedCall } from './supervise.js';
import { TOLD_TO_RECOVER, type TorturedVerb } from './tortured-verb.js';

/** What calls are made to fail with. */
export const ERRNOS = [
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENOMEM', 'EINTR', 'EAGAIN', 'EACCES'],
  ...['EPERM', 'EXDEV', 'EMLINK', 'ELOOP', 'ENAMETOOLONG', 'ESTALE', 'ETIMEDOUT'],
] as const;

/** One fault: which call of its name, with what, and whether all later ones of that name fail, too. */
export interface Fault {
  readonly point: SupervisedCall;
  /** Position of the point among the calls of its name, from 1. */
  readonly ordinal: number;
  readonly errno: string;
  readonly lasts: boolean;
}

/** What a sweep found. */
export interface FaultResult {
  readonly verb: string;
  /** Calls of the undisturbed run, those that only read included. */
  readonly calls: number;
  readonly faults: number;
  /** Faults that the command worked around: it succeeded as if nothing had been. */
  readonly tolerated: number;
  /** Runs that ended before the fault came. */
  readonly missed: number;
  readonly violations: readonly string[];
}

/** Options of {@link sweepFaults}. */
export interface FaultOptions {
  /** A folder of its own for the sweep's trees. */
  readonly folder: string;
  readonly limit: number;
  /** Gives numbers from 0 to 1: which faults are taken where there are more than `limit`. */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onFault?: (fault: Fault, violations: readonly string[]) => void;
}

/**
 * Makes calls of a command fail, one fault a run: of each class of calls (where in berth's work, which call) the first and
 * the last, with each error number, once and from there on. The command has to fail in one line with a status that is
 * documented (or work around it), leave what was there as it was, and succeed when it is run again.
 */
export async function sweepFaults(verb: TorturedVerb, options: FaultOptions): Promise<FaultResult> {
  const ground = new Ground(verb, options.folder);
  const calls = await ground.prepare({ reads: true });
  const faults = chooseFaults(calls, ground.root, options);
  const violations: string[] = [];
  let done = 0;
  let tolerated = 0;
  let missed = 0;
  for (const fault of faults) {
    if (options.signal?.aborted === true) break;
    const { ordinal: from, errno, lasts, point } = fault;
    const run = await ground.run({
      reads: true,
      calls: [point.call],
      fail: { from, to: lasts ? Infinity : from, errno },
    });
    if (run.fired === 'failed' || run.fired === 'overdue') {
      done += 1;
      if (run.status === 0) tolerated += 1;
      const where = describeFault(verb, fault, ground.root);
      const found = [
        ...judge(run, { ground, lasts }).map((what) => `${where}: ${what}`),
        ...(await ground.aftermath(where)),
      ];
      violations.push(...found);
      options.onFault?.(fault, found);
    } else missed += 1;
  }
  return { verb: verb.name, calls: calls.length, faults: done, tolerated, missed, violations };
}

function chooseFaults(
  calls: readonly SupervisedCall[],
  root: string,
  { limit, random }: FaultOptions,
): readonly Fault[] {
  const ordinals = new Map<string, number>();
  const classes = new Map<string, { point: SupervisedCall; ordinal: number }[]>();
  for (const point of calls) {
    const ordinal = (ordinals.get(point.call) ?? 0) + 1;
    ordinals.set(point.call, ordinal);
    const key = `${phaseOf(point, root)} ${point.call}`;
    classes.set(key, [...(classes.get(key) ?? []), { point, ordinal }]);
  }
  const places = [...classes.values()].flatMap((members) =>
    members.length === 1 ? members : [...members.slice(0, 1), ...members.slice(-1)],
  );
  const faults = places.flatMap((place) =>
    ERRNOS.filter((errno) => !isAnswer(place.point.call, errno)).flatMap((errno) =>
      // A call that is interrupted for ever never returns: libuv tries it again, as POSIX says.
      [false, ...(errno === 'EINTR' ? [] : [true])].map((lasts) => ({ ...place, errno, lasts })),
    ),
  );
  if (faults.length <= limit) return faults;
  // Fisher and Yates, as far as needed: each place and each errno gets its share.
  for (let index = 0; index < limit; index++) {
    const other = index + Math.floor(random() * (faults.length - index));
    const [a, b] = [faults[index], faults[other]];
    if (a !== undefined && b !== undefined) [faults[index], faults[other]] = [b, a];
  }
  return faults.slice(0, limit);
}

/** Whether it says nothing but that somebody else holds the lock. */
function isAnswer(call: string, errno: string): boolean {
  return call === 'flock' && errno === 'EAGAIN';
}

function describeFault(verb: TorturedVerb, fault: Fault, root: string): string {
  const { errno, lasts, point } = fault;
  return `${verb.name} with ${errno} ${lasts ? 'from' : 'at'} ${describeCall(point, root)}`;
}

const DOCUMENTED: ReadonlySet<number> = new Set(
  Object.values(ExitStatus).filter((status) => status !== ExitStatus.internal),
);

/** What is wrong with how a command ended. */
function judge(
  run: Supervised,
  { ground, lasts }: { readonly ground: Ground; readonly lasts: boolean },
): readonly string[] {
  const wrong: string[] = [];
  if (!DOCUMENTED.has(run.status)) wrong.push(`ended with ${run.status}: ${run.stderr}`);
  if (/internal error|^ {4}at |node:internal|assert/m.test(run.stderr))
    wrong.push(`said this:\n${run.stderr}`);
  if (run.status === 0) {
    // What is new is in place, and the rest is left to the next command: that is checked with it.
    if (TOLD_TO_RECOVER.test(run.stderr)) return wrong;
    const differences = ground.differencesFrom('now');
    if (differences.length > 0)
      wrong.push(`succeeded, but did not:\n  ${differences.slice(0, 10).join('\n  ')}`);
    return wrong;
  }
  const said = run.stderr.split('\n').filter((line) => line.startsWith('berth: cannot '));
  if (said.length !== 1 && !/^berth: /m.test(run.stderr))
    wrong.push(`failed without saying why: ${run.stderr}`);
  // What is to be finished by the next command is checked with that.
  if (ground.verb.takesBack && !lasts && !TOLD_TO_RECOVER.test(run.stderr)) {
    const differences = ground.differencesFrom('old');
    if (differences.length > 0)
      wrong.push(`failed, and left:\n  ${differences.slice(0, 10).join('\n  ')}\n${run.stderr}`);
  }
  return wrong;
}
