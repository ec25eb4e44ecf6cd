/** What the value of a key of berth.conf may be; both readers give undefined for what is not of this kind. */
export interface ConfKind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  /** Reads a value of the file. */
  readonly read: (value: unknown) => T | undefined;
  /** Reads an environment variable. */
  readonly readText: (text: string) => T | undefined;
}

/** `true` or `false`. */
export function yesOrNo(): ConfKind<boolean> {
  return {
    expected: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    readText: (text) =>
      /^(true|1)$/.test(text) ? true : /^(false|0)$/.test(text) ? false : undefined,
  };
}

/** A whole number from one to another. */
export function wholeNumber(from: number, to: number): ConfKind<number> {
  const read = (value: unknown): number | undefined =>
    Number.isInteger(value) && Number(value) >= from && Number(value) <= to
      ? Number(value)
      : undefined;
  return {
    expected: `a number from ${from} to ${to}`,
    read,
    readText: (text) => (/^\d{1,15}$/.test(text) ? read(Number(text)) : undefined),
  };
}

/** A time: `"10s"`, `"1.5m"`, or a number of seconds. Gives milliseconds. */
export function duration(fromSeconds: number, toSeconds: number): ConfKind<number> {
  const inRange = (ms: number): number | undefined =>
    ms >= fromSeconds * 1000 && ms <= toSeconds * 1000 ? Math.round(ms) : undefined;
  const readText = (text: string): number | undefined => {
    const [, digits, unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|min|h|d)?$/.exec(text) ?? [];
    return digits === undefined ? undefined : inRange(Number(digits) * UNIT_MS[unit as Unit]);
  };
  return {
    expected: `a time from ${fromSeconds} to ${toSeconds} seconds, such as "10s" or "5m"`,
    read: (value) =>
      typeof value === 'number'
        ? inRange(value * 1000)
        : typeof value === 'string'
          ? readText(value)
          : undefined,
    readText,
  };
}

/** Bytes a second: a number, or a text with curl's suffixes. */
export function byteRate(): ConfKind<number> {
  return {
    expected: 'bytes a second, such as "500K" or "2M"',
    read: (value) =>
      typeof value === 'number'
        ? parseByteRate(String(value))
        : typeof value === 'string'
          ? parseByteRate(value)
          : undefined,
    readText: parseByteRate,
  };
}

/** One of some words. */
export function oneOf<const Word extends string>(words: readonly Word[]): ConfKind<Word> {
  const read = (value: unknown): Word | undefined => words.find((word) => word === value);
  return {
    expected: `one of ${words.map((word) => `"${word}"`).join(', ')}`,
    read,
    readText: read,
  };
}

/** A text that has some form; in the environment the same text without quotes. */
export function textLike(pattern: RegExp, expected: string): ConfKind<string> {
  const read = (value: unknown): string | undefined =>
    typeof value === 'string' && pattern.test(value) ? value : undefined;
  return { expected, read, readText: read };
}

/** Texts that have some form; in the environment with commas between them. */
export function listOf(pattern: RegExp, expected: string): ConfKind<readonly string[]> {
  const read = (value: unknown): readonly string[] | undefined =>
    Array.isArray(value) &&
    value.length <= MAX_LIST &&
    value.every((item): item is string => typeof item === 'string' && pattern.test(item))
      ? value
      : undefined;
  return {
    expected,
    read,
    readText: (text) => read(text.split(',').map((item) => item.trim())),
  };
}

/** Parses bytes a second with the suffixes K, M and G, as the option `--max-rate` has them. */
export function parseByteRate(text: string): number | undefined {
  const [, digits, unit = ''] = /^([1-9]\d{0,11})([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[unit.toUpperCase()] ?? 1;
  return Number(digits) * factor;
}

/** A list in a configuration is typed by a person. */
const MAX_LIST = 256;

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;
