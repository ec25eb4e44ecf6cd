/** Longest text, in lines, that is compared line by line; what is longer is shown as replaced. */
const MAX_LINES = 2000;

/**
 * The difference of two texts as lines with `+`, `-` and blank in front, three lines of context around each change;
 * empty if they are the same.
 */
export function diffLines(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const old = before.split('\n');
  const now = after.split('\n');
  if (old.length > MAX_LINES || now.length > MAX_LINES)
    return [`- ${old.length} lines`, `+ ${now.length} lines`];
  return withContext(align(old, now));
}

interface Aligned {
  readonly sign: '+' | '-' | ' ';
  readonly line: string;
}

/** Longest common subsequence by dynamic programming: at most 4 million cells, a few milliseconds. */
function align(old: readonly string[], now: readonly string[]): Aligned[] {
  const width = now.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  const cell = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        old[i] === now[j] ? cell(i + 1, j + 1) + 1 : Math.max(cell(i + 1, j), cell(i, j + 1));
    }
  }
  const aligned: Aligned[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      aligned.push({ sign: ' ', line: old[i] ?? '' });
      i++;
      j++;
    } else if (i < old.length && (j === now.length || cell(i + 1, j) >= cell(i, j + 1))) {
      aligned.push({ sign: '-', line: old[i++] ?? '' });
    } else {
      aligned.push({ sign: '+', line: now[j++] ?? '' });
    }
  }
  return aligned;
}

const CONTEXT_LINES = 3;

function withContext(aligned: readonly Aligned[]): string[] {
  const near = aligned.map((_, index) =>
    aligned
      .slice(Math.max(0, index - CONTEXT_LINES), index + CONTEXT_LINES + 1)
      .some(({ sign }) => sign !== ' '),
  );
  const lines: string[] = [];
  aligned.forEach(({ sign, line }, index) => {
    if (near[index] === true) lines.push(`${sign} ${line}`);
    else if (near[index - 1] === true) lines.push('  …');
  });
  return lines;
}
