import { readFileSync } from 'node:fs';

/** setrlimit(2) resources by their numbers. */
export const RLIMITS = [
  'RLIMIT_CPU',
  'RLIMIT_FSIZE',
  'RLIMIT_DATA',
  'RLIMIT_STACK',
  'RLIMIT_CORE',
  'RLIMIT_RSS',
  'RLIMIT_NPROC',
  'RLIMIT_NOFILE',
  'RLIMIT_MEMLOCK',
  'RLIMIT_AS',
  'RLIMIT_LOCKS',
  'RLIMIT_SIGPENDING',
  'RLIMIT_MSGQUEUE',
  'RLIMIT_NICE',
  'RLIMIT_RTPRIO',
  'RLIMIT_RTTIME',
] as const;

/** What of this process a container gets at most. */
export interface OwnLimits {
  /** Hard limits in the order of setrlimit(2)'s numbers; `Infinity`: none. */
  readonly hard: readonly number[];
  readonly oomScoreAdj: number;
}

/** The highest hard limit of a kind that there can be; `Infinity`: any. */
export function highestLimit({ hard }: OwnLimits, type: string): number {
  return hard[(RLIMITS as readonly string[]).indexOf(type)] ?? Infinity;
}

/** Reads the limits of this process, which are those of the launcher. */
export function readOwnLimits(): OwnLimits {
  const [, ...lines] = readFileSync('/proc/self/limits', 'utf8').trimEnd().split('\n');
  // Columns have a fixed width: names have blanks.
  const hard = lines.map((line) => {
    const text = line.slice(47, 68).trim();
    return text === 'unlimited' ? Infinity : Number(text);
  });
  return { hard, oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')) };
}
