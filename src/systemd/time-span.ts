/** Microseconds of each unit, by every name that it has; a longer name comes before one that it begins with. */
const UNITS: readonly (readonly [names: readonly string[], microseconds: bigint])[] = [
  [['seconds', 'second', 'sec', 's'], 1_000_000n],
  [['minutes', 'minute', 'min'], 60_000_000n],
  [['months', 'month', 'M'], 2_629_800_000_000n],
  [['msec', 'ms'], 1_000n],
  [['m'], 60_000_000n],
  [['hours', 'hour', 'hr', 'h'], 3_600_000_000n],
  [['days', 'day', 'd'], 86_400_000_000n],
  [['weeks', 'week', 'w'], 604_800_000_000n],
  [['years', 'year', 'y'], 31_557_600_000_000n],
  [['usec', 'us', '\u03bcs', '\u00b5s'], 1n],
];

/** What systemd counts in, and what in it is for ever. */
const INFINITY = 2n ** 64n - 1n;
const MAX_NUMBER = 2n ** 63n - 1n;

const EXPECTED = 'expects a time such as 90, 1min 30s or 2.5h';

/**
 * What is expected in place of what stands in a time span (systemd.time(7), "Parsing Time Spans"), as of `OnBootSec=`; undefined for one
 * that systemd takes (src/basic/time-util.c, `parse_time`).
 */
export function findTimeSpanProblem(text: string): string | undefined {
  if (/^[ \t\n\r]*infinity[ \t\n\r]*$/.test(text)) return undefined;
  let rest = text.replace(/^[ \t\n\r]+/, '');
  let total = 0n;
  if (rest === '') return EXPECTED;
  while (rest !== '') {
    if (rest.startsWith('-')) return `${EXPECTED}, not below zero`;
    const number = /^(?:\+?(?<whole>\d+))?(?<fraction>\.\d+)?/.exec(rest);
    const { whole, fraction } = number?.groups ?? {};
    if (whole === undefined && fraction === undefined) return EXPECTED;
    const after = rest.slice(number?.[0].length);
    const unit = after.replace(/^[ \t\n\r]+/, '');
    const found = findUnit(unit);
    // What follows a number at once has to be a unit.
    if (found === undefined && unit === after && after !== '') return EXPECTED;
    const { microseconds, length } = found ?? { microseconds: 1_000_000n, length: 0 };
    const count = BigInt(whole ?? 0);
    total += count * microseconds;
    if (count > MAX_NUMBER || total >= INFINITY) return 'expects a time of fewer than 584542 years';
    rest = unit.slice(length).replace(/^[ \t\n\r]+/, '');
  }
  return undefined;
}

function findUnit(
  text: string,
): { readonly microseconds: bigint; readonly length: number } | undefined {
  for (const [names, microseconds] of UNITS) {
    const name = names.find((known) => text.startsWith(known));
    if (name !== undefined) return { microseconds, length: name.length };
  }
  return undefined;
}
