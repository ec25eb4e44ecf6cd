import { describeCall, Ground } from './ground.js';
import { choosePoints } from './kill-points.js';
import type { SupervisedCall } from './supervise.js';
import type { TorturedVerb } from './tortured-verb.js';

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
  readonly signal?: AbortSignal | undefined;
  readonly onPoint?: (point: SupervisedCall, violations: readonly string[]) => void;
}

/** Kills a command at the calls that change something, one run for each, and looks at what is left. */
export async function sweepKills(verb: TorturedVerb, options: SweepOptions): Promise<SweepResult> {
  const ground = new Ground(verb, options.folder);
  const calls = await ground.prepare();
  const points = choosePoints(calls, { root: ground.root, limit: options.limit });
  const violations: string[] = [];
  let killed = 0;
  let missed = 0;
  for (const point of points) {
    if (options.signal?.aborted === true) break;
    const found = await killAt(ground, point);
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

/** What is wrong after a kill at a point; undefined if the kill did not come. */
async function killAt(
  ground: Ground,
  point: SupervisedCall,
): Promise<readonly string[] | undefined> {
  let at = point.number;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const run = await ground.run({ killAt: at });
    if (run.fired === 'killed') {
      const call = describeCall(run.calls.at(-1) ?? point, ground.root);
      return ground.aftermath(`${ground.verb.name} killed at ${call}`);
    }
    if (run.fired === 'overdue')
      return [`${ground.verb.name}, to be killed at ${at}: ${run.stderr}`];
    at = Math.min(at, run.calls.length);
  }
  return undefined;
}
