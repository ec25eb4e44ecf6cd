import { setTimeout as delay } from 'node:timers/promises';

import { runBerth, type Ended } from './crowd.js';
import { describeCall, Ground } from './ground.js';
import { choosePoints } from './kill-points.js';
import type { Outcome } from './report.js';
import type { TorturedVerb } from './tortured-verb.js';

/** Another command that runs while the tortured one is held. */
interface Rival {
  readonly args: readonly string[];
  /** How it may end. */
  readonly statuses: ReadonlySet<number>;
}

/** 66: nothing is installed yet, or any more; 73: another version is; 75: the other command is at work on it. */
const CHANGES: ReadonlySet<number> = new Set([0, 66, 73, 75]);
const READS: ReadonlySet<number> = new Set([0]);

const NAME = 'small';

/** The verbs that are held, and what runs beside each: whatever else somebody could start at that moment. */
export const RIVALS: ReadonlySet<string> = new Set([
  ...['install', 'uninstall', 'pull', 'update', 'rollback', 'prune'],
]);

function rivalsOf(verb: TorturedVerb): readonly Rival[] {
  const changes = [
    verb.argv,
    ['uninstall', NAME],
    ['rollback', NAME],
    ['apply', NAME],
    ['images', 'prune', '--all'],
    ['recover'],
    ['auto-update'],
  ].map((args) => ({ args, statuses: CHANGES }));
  const reads = [['list'], ['fsck'], ['images', 'list'], ['graph']].map((args) => ({
    args,
    statuses: READS,
  }));
  return [...changes, ...reads];
}

/** Options of {@link raceVerbs}. */
export interface RaceOptions {
  /** A folder of its own. */
  readonly folder: string;
  /** How many points at most. */
  readonly limit: number;
  /** Takes one rival for each point, in turn from this one on, in place of all. */
  readonly inTurnFrom?: number;
  readonly onViolation?: (text: string) => void;
}

/** How long a rival is waited for that waits for the command that is held, in milliseconds. */
const PATIENCE_MS = 3000;

/**
 * Holds a command at calls that change something, and runs each of the others to its end meanwhile, or until it is clear
 * that it waits. Both end as documented, and what they leave is sound, before and after recovery.
 */
export async function raceVerbs(verb: TorturedVerb, options: RaceOptions): Promise<Outcome> {
  const ground = new Ground(verb, options.folder);
  const calls = await ground.prepare();
  const points = choosePoints(calls, { root: ground.root, limit: options.limit });
  const rivals = rivalsOf(verb);
  const violations: string[] = [];
  let races = 0;
  let waits = 0;
  for (const [index, point] of points.entries()) {
    const { inTurnFrom: first } = options;
    const chosen = first === undefined ? rivals : [rivals[(first + index) % rivals.length]];
    for (const rival of chosen) {
      if (rival === undefined) continue;
      const run = await race(ground, { at: point.number, rival });
      if (!run.isHeld) continue;
      races += 1;
      waits += run.waited ? 1 : 0;
      const where = `${verb.name} held at ${describeCall(point, ground.root)}, ${rival.args.join(' ')}`;
      const found = [
        ...run.wrong.map((what) => `${where}: ${what}`),
        ...(await ground.sound(where)),
      ];
      violations.push(...found);
      for (const text of found) options.onViolation?.(text);
    }
  }
  return { figures: { calls: calls.length, points: points.length, races, waits }, violations };
}

async function race(
  ground: Ground,
  { at, rival }: { readonly at: number; readonly rival: Rival },
): Promise<{ isHeld: boolean; waited: boolean; wrong: readonly string[] }> {
  let ended: Promise<Ended> | undefined;
  let waited = false;
  const run = await ground.run({
    hold: {
      at,
      meanwhile: async () => {
        ended = runBerth(ground.root, rival.args);
        waited = await Promise.race([ended.then(() => false), delay(PATIENCE_MS, true)]);
      },
    },
  });
  const other = await ended;
  if (run.fired !== 'paused' || other === undefined) return { isHeld: false, waited, wrong: [] };
  const wrong: string[] = [];
  if (!CHANGES.has(run.status)) wrong.push(`it ended with ${run.status}: ${run.stderr}`);
  if (!rival.statuses.has(other.status))
    wrong.push(`the other ended with ${other.status}: ${other.stdout}${other.stderr}`);
  return { isHeld: true, waited, wrong };
}
