import { quote } from '../base/escape-text.js';

/** Names for a whole specification; the misspelt one is systemd's own. */
const SHORTHANDS: ReadonlySet<string> = new Set([
  ...['minutely', 'hourly', 'daily', 'weekly', 'monthly', 'quarterly'],
  ...['annually', 'yearly', 'anually'],
  ...['semiannually', 'semi-annually', 'biannually', 'bi-annually'],
]);

const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** What a number of a date or time may be. */
interface Bounds {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

const YEAR: Bounds = { what: 'years', from: 1970, to: 2199 };
const MONTH: Bounds = { what: 'months', from: 1, to: 12 };
const DAY: Bounds = { what: 'days', from: 1, to: 31 };
/** Counted from the end of a month; each has so many. */
const LAST_DAY: Bounds = { what: 'days before the end of the month', from: 1, to: 28 };
const HOUR: Bounds = { what: 'hours', from: 0, to: 23 };
const MINUTE: Bounds = { what: 'minutes', from: 0, to: 59 };
const SECOND: Bounds = { what: 'seconds', from: 0, to: 59.999999 };

/** A date: two or three lists, the last of which may count from the end of the month. */
const DATE = /^(?:(?<year>[^-~: ]+)-)?(?<month>[^-~: ]+)(?<sign>[-~])(?<day>[^-~: ]+)(?: +|$)/;

const TIME = /^(?<hour>[^: ]+):(?<minute>[^: ]+)(?::(?<second>[^: ]+))?$/;

const EXPECTED =
  'expects daily and the like, or [WEEKDAYS] [YEAR-MONTH-DAY] [HOUR:MINUTE[:SECOND]]';

/**
 * What is expected in place of what stands in a calendar specification (systemd.time(7), "Calendar Events"), as of `OnCalendar=`;
 * undefined for one that systemd takes. What may be a time zone of the host counts as one.
 */
export function findCalendarProblem(text: string): string | undefined {
  const spec = withoutZone(text);
  if (SHORTHANDS.has(spec.toLowerCase())) return undefined;
  const withoutDays = skipWeekdays(spec);
  if (withoutDays === undefined)
    return spec.split(/[^a-z]+/i).some(isDay)
      ? 'expects weekdays as in Mon,Wed..Fri before all else'
      : EXPECTED;
  const stamp = /^@\d+$/.test(withoutDays);
  if (stamp || (withoutDays === '' && spec !== '')) return undefined;
  const date = DATE.exec(withoutDays)?.groups;
  const rest = withoutDays.replace(DATE, '');
  const time = TIME.exec(rest)?.groups;
  if ((rest !== '' || date === undefined) && time === undefined) return EXPECTED;
  const lists: readonly (readonly [string | undefined, Bounds])[] = [
    [date?.['year'], YEAR],
    [date?.['month'], MONTH],
    [date?.['day'], date?.['sign'] === '~' ? LAST_DAY : DAY],
    [time?.['hour'], HOUR],
    [time?.['minute'], MINUTE],
    [time?.['second'], SECOND],
  ];
  for (const [list, bounds] of lists)
    if (list !== undefined && list !== '*' && !isList(list, bounds))
      return `expects ${bounds.what} from ${bounds.from} to ${bounds.to}, not ${quote(list)}`;
  return undefined;
}

/** `UTC`, a name of the zone database, or what the host calls its own (`CET`, `+03`). */
function withoutZone(text: string): string {
  const [, spec, zone] = /^(.*) (\S+)$/.exec(text) ?? [];
  if (spec === undefined || zone === undefined) return text;
  return isZone(zone) ? spec : text;
}

function isZone(word: string): boolean {
  if (isDay(word) || SHORTHANDS.has(word.toLowerCase())) return false;
  const isOwn = /^(?:[A-Z]{3,6}|[+-]\d{2,4})$/.test(word);
  return isOwn || /^[a-z][\w+-]*(?:\/[a-z][\w+-]*){1,3}$/i.test(word) || isKnownZone(word);
}

function isKnownZone(word: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: word }).resolvedOptions().timeZone !== '';
  } catch {
    return false; // RangeError: it has no such zone
  }
}

/** The rest after a list of weekdays, all of it where there is none; undefined where it is a wrong one. */
function skipWeekdays(spec: string): string | undefined {
  if (!/^[a-z]/i.test(spec)) return spec;
  const [list = '', ...rest] = spec.split(' ');
  const ranges = list.replace(/,$/, '').split(',');
  return ranges.every(isRangeOfDays) ? rest.join(' ').trimStart() : undefined;
}

function isRangeOfDays(range: string): boolean {
  const days = range.split(/\.\.|-/).map(dayNumber);
  const [first = -1, last = first] = days;
  return days.length <= 2 && first >= 0 && last >= first;
}

function isDay(word: string): boolean {
  return dayNumber(word) >= 0;
}

function dayNumber(word: string): number {
  const name = word.toLowerCase();
  return DAYS.findIndex((day) => name === day || name === day.slice(0, 3));
}

function isList(list: string, bounds: Bounds): boolean {
  return list.split(',').every((item) => isItem(item, bounds));
}

/** A number, a range, or either with a step: one that leads nowhere within the bounds is no list. */
function isItem(item: string, { what, from, to }: Bounds): boolean {
  const number = what === SECOND.what ? '\\d+(?:\\.\\d+)?' : '\\d+';
  const shape = new RegExp(`^(${number})(?:\\.\\.(${number}))?(?:/(${number}))?$`);
  const [, first, last, every] = shape.exec(item) ?? [];
  if (first === undefined) return false;
  const read = (digits: string): number => withCentury(Number(digits), what);
  const start = read(first);
  const step = every === undefined ? undefined : Number(every);
  if (step === 0 || start < from || start > to) return false;
  if (last === undefined) {
    if (step === undefined) return true;
    return what === LAST_DAY.what ? start - step >= from : start + step <= to;
  }
  const stop = read(last);
  if (stop < start) return false;
  const steps = Math.floor((stop - start) / (step ?? 1));
  return steps === 0 || start + steps * (step ?? 1) <= to;
}

/** systemd takes 26 for 2026, and 99 for 1999. */
function withCentury(year: number, what: string): number {
  if (what !== YEAR.what || year >= 100) return year;
  return year + (year < 70 ? 2000 : 1900);
}
