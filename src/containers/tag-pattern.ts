/** A version of a tag: its numbers, and the `v` in front of some. */
interface Version {
  readonly numbers: readonly number[];
  readonly tag: string;
}

/** Longest tag that is looked at as a version; nobody's numbers are longer. */
const VERSION = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})$/;

/** A pattern for tags: `3.5.x` or `3.5.*`, `^3.5` (the same first number that is not 0), `~3.5.1` (the same but the last). */
const PATTERN = /^(?:([~^])v?(\d{1,9}(?:\.\d{1,9}){0,2})|v?((?:\d{1,9}\.){0,3})[x*])$/;

/** Whether a text is a pattern of versions; else it can only be a tag. */
export function isTagPattern(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * The newest tag that a pattern allows; undefined where there is none. Only tags that are a version and nothing else count:
 * `3.5.1-rc1` and `3.5.1-alpine` are another thing than 3.5.1. Of tags for the same version the first counts.
 */
export function selectTag(pattern: string, tags: readonly string[]): string | undefined {
  const [, kind, base = '', prefix = ''] = PATTERN.exec(pattern) ?? [];
  const wanted = (kind === undefined ? prefix.replace(/\.$/, '') : base)
    .split('.')
    .filter((part) => part !== '')
    .map(Number);
  let best: Version | undefined;
  for (const tag of tags) {
    const text = VERSION.exec(tag)?.[1];
    if (text === undefined) continue;
    const numbers = text.split('.').map(Number);
    if (!allows(kind, wanted, numbers)) continue;
    if (best === undefined || compare(numbers, best.numbers) > 0) best = { numbers, tag };
  }
  return best?.tag;
}

function allows(
  kind: string | undefined,
  wanted: readonly number[],
  numbers: readonly number[],
): boolean {
  if (kind === undefined)
    return numbers.length > wanted.length && startsWith(numbers, wanted, wanted.length);
  const firstSet = wanted.findIndex((number) => number !== 0);
  const fixed =
    kind === '^' ? (firstSet < 0 ? wanted.length : firstSet + 1) : Math.max(1, wanted.length - 1);
  return (
    numbers.length >= wanted.length &&
    startsWith(numbers, wanted, fixed) &&
    compare(numbers, wanted) >= 0
  );
}

function startsWith(numbers: readonly number[], wanted: readonly number[], count: number): boolean {
  return wanted.slice(0, count).every((number, index) => numbers[index] === number);
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
