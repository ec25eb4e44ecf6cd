/** One thing that was measured, in one run with the others of its group. */
export interface Figure {
  readonly group: string;
  readonly what: string;
  readonly medianMs: number;
  readonly runs: number;
}

/** A contender of a group: one round is timed. */
export interface Contender {
  readonly what: string;
  /** Not timed. */
  prepare?(round: number): void | Promise<void>;
  run(round: number): void | Promise<void>;
}

/** Runs contenders in turn, so that whatever else the machine does falls on all of them, and gives their medians. */
export async function compare(
  group: string,
  rounds: number,
  contenders: readonly Contender[],
): Promise<readonly Figure[]> {
  const times = contenders.map(() => [] as number[]);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      await contender.prepare?.(round);
      const start = performance.now();
      await contender.run(round);
      times[index]?.push(performance.now() - start);
    }
  }
  return contenders.map(({ what }, index) => ({
    group,
    what,
    medianMs: median(times[index] ?? []),
    runs: rounds,
  }));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The figures as a table: each group's first is what the others are compared with. */
export function formatFigures(figures: readonly Figure[]): string {
  return figures
    .map((figure) => {
      const own = figures.find(({ group }) => group === figure.group);
      const first = own === figure;
      const ratio = own === undefined ? 1 : figure.medianMs / own.medianMs;
      return `${first ? `\n${figure.group} (median of ${figure.runs})\n` : ''}  ${figure.what.padEnd(44)} ${figure.medianMs.toFixed(1).padStart(8)} ms  ${first ? '' : `${ratio.toFixed(2)} x`}`;
    })
    .join('\n')
    .concat('\n');
}
