import type { Usage } from '../support/run-measured.js';

/** What a round took besides time; each where it was looked at. */
export interface Taken extends Partial<Usage> {
  /** Time in milliseconds by another clock than ours. */
  readonly ms?: number;
  /** What came over the network, in bytes. */
  readonly fetchedBytes?: number;
  /** What the disk has less room by, in bytes. */
  readonly grewBytes?: number;
}

/** One thing that was measured, in one run with the others of its group. */
export interface Figure {
  readonly group: string;
  readonly what: string;
  readonly medianMs: number;
  readonly runs: number;
  /** Most memory of any run, where it was looked at. */
  readonly peakBytes?: number;
  /** Median of the time on a processor, where it was looked at: says more than the clock does on a busy machine. */
  readonly cpuMs?: number;
  /** Median of what came over the network, where it was looked at. */
  readonly fetchedBytes?: number;
  /** Median of what was written and stayed, where it was looked at. */
  readonly grewBytes?: number;
}

/** A contender of a group: one round is timed. What it records is kept beside the time. */
export interface Contender {
  readonly what: string;
  /** Not timed. */
  prepare?(round: number): void | Promise<void>;
  run(round: number, record: (taken: Taken) => void): void | Promise<void>;
  /** Not timed. */
  cleanUp?(round: number): void | Promise<void>;
}

/** A part of the benchmark, by the name that `--only` takes. */
export interface Bench {
  readonly name: string;
  /** Whether it is left out unless it is asked for. */
  readonly isLong?: boolean;
  /** Programs that it measures berth beside. */
  readonly peers: readonly string[];
  /** Folders are made below `parent`, which is a tmpfs. */
  run(parent: string): Promise<readonly Figure[]>;
}

interface Round extends Taken {
  readonly ms: number;
}

/** Runs contenders in turn, so that whatever else the machine does falls on all of them, and gives their medians. */
export async function compare(
  group: string,
  rounds: number,
  contenders: readonly Contender[],
): Promise<readonly Figure[]> {
  const taken = contenders.map((): Round[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      await contender.prepare?.(round);
      let found: Taken = {};
      const start = performance.now();
      await contender.run(round, (more) => {
        found = { ...found, ...more };
      });
      const ms = performance.now() - start;
      taken[index]?.push({ ms, ...found });
      await contender.cleanUp?.(round);
    }
  }
  return contenders.map(({ what }, index) => summarize({ group, what }, taken[index] ?? []));
}

function summarize(
  { group, what }: { readonly group: string; readonly what: string },
  rounds: readonly Round[],
): Figure {
  const of = (key: keyof Taken): readonly number[] =>
    rounds.map((round) => round[key]).filter((value) => value !== undefined);
  const [peaks, cpus, fetched, grew] = [
    of('peakBytes'),
    of('cpuMs'),
    of('fetchedBytes'),
    of('grewBytes'),
  ];
  return {
    group,
    what,
    medianMs: median(rounds.map(({ ms }) => ms)),
    runs: rounds.length,
    ...(peaks.length === 0 ? {} : { peakBytes: Math.max(...peaks) }),
    ...(cpus.length === 0 ? {} : { cpuMs: median(cpus) }),
    ...(fetched.length === 0 ? {} : { fetchedBytes: median(fetched) }),
    ...(grew.length === 0 ? {} : { grewBytes: median(grew) }),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * The figures as a table. berth stands first in each group; the ratio is berth's time by that of the other, so that below 1 berth
 * is the quicker one.
 */
export function formatFigures(figures: readonly Figure[]): string {
  return figures
    .map((figure) => {
      const berth = figures.find(({ group }) => group === figure.group) ?? figure;
      const isFirst = berth === figure;
      const head = isFirst ? `\n${figure.group} (median of ${figure.runs})\n` : '';
      const { peakBytes, cpuMs, fetchedBytes, grewBytes } = figure;
      const columns = [
        figure.what.padEnd(48),
        `${figure.medianMs.toFixed(1).padStart(9)} ms`,
        (isFirst ? '' : `${(berth.medianMs / figure.medianMs).toFixed(2)} x`).padStart(8),
        cpuMs === undefined ? '' : `cpu ${cpuMs.toFixed(0).padStart(6)} ms`,
        peakBytes === undefined
          ? ''
          : `peak ${(peakBytes / 1e6).toFixed(peakBytes < 1e7 ? 2 : 0).padStart(4)} MB`,
        fetchedBytes === undefined ? '' : `fetched ${(fetchedBytes / 1e6).toFixed(2)} MB`,
        grewBytes === undefined ? '' : `disk +${(grewBytes / 1e6).toFixed(2)} MB`,
      ];
      return `${head}  ${columns.join('  ').trimEnd()}`;
    })
    .join('\n')
    .concat('\n');
}
