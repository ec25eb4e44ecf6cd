import type { Usage } from '../support/run-measured.js';

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
}

/** A contender of a group: one round is timed. What it records is kept beside the time. */
export interface Contender {
  readonly what: string;
  /** Not timed. */
  prepare?(round: number): void | Promise<void>;
  run(round: number, record: (usage: Usage) => void): void | Promise<void>;
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

interface Round {
  readonly ms: number;
  readonly usage: Usage | undefined;
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
      const start = performance.now();
      let usage: Usage | undefined;
      await contender.run(round, (found) => {
        usage = found;
      });
      taken[index]?.push({ ms: performance.now() - start, usage });
      await contender.cleanUp?.(round);
    }
  }
  return contenders.map(({ what }, index) => {
    const own = taken[index] ?? [];
    const usages = own.map(({ usage }) => usage).filter((usage) => usage !== undefined);
    return {
      group,
      what,
      medianMs: median(own.map(({ ms }) => ms)),
      runs: rounds,
      ...(usages.length === 0
        ? {}
        : {
            peakBytes: Math.max(...usages.map(({ peakBytes }) => peakBytes)),
            cpuMs: median(usages.map(({ cpuMs }) => cpuMs)),
          }),
    };
  });
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
      const { peakBytes, cpuMs } = figure;
      const columns = [
        figure.what.padEnd(48),
        `${figure.medianMs.toFixed(1).padStart(9)} ms`,
        (isFirst ? '' : `${(berth.medianMs / figure.medianMs).toFixed(2)} x`).padStart(8),
        cpuMs === undefined ? '' : `cpu ${cpuMs.toFixed(0).padStart(6)} ms`,
        peakBytes === undefined ? '' : `peak ${(peakBytes / 1e6).toFixed(0).padStart(4)} MB`,
      ];
      return `${head}  ${columns.join('  ').trimEnd()}`;
    })
    .join('\n')
    .concat('\n');
}
