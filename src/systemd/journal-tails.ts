import { mapAtOnce } from '../base/map-at-once.js';
import { runProgram } from '../base/subprocess.js';
import {
  fieldText,
  lineOf,
  parseJournalEntries,
  showLine,
  type JournalFields,
  type JournalTailOptions,
} from './journal-tail.js';

/*
 * The logs of many units. A journalctl for each takes 5 ms, nearly all of it for beginning; asked for all at once it looks for the
 * next line of each of them after every line, which for a hundred units takes as long as a hundred programs. So units are asked for by
 * the ten: a third of that (measured with 20, 100 and 200 units).
 */

/** Units that one journalctl is asked for. */
const UNITS_AT_ONCE = 10;

/** Lines that are read for each line that is wanted: units write as much as they like, and the last lines may all be of one. */
const SPARE = 3;

/** What {@link lineOf} and {@link unitsOf} look at. */
const FIELDS = [
  ...['MESSAGE', 'MESSAGE_ID', 'PRIORITY', 'SYSLOG_IDENTIFIER', '_PID', '_UID'],
  ...['INVOCATION_ID', 'USER_INVOCATION_ID', '_SYSTEMD_INVOCATION_ID'],
  ...['_SYSTEMD_UNIT', 'UNIT', 'OBJECT_SYSTEMD_UNIT', 'COREDUMP_UNIT'],
  ...['_SYSTEMD_USER_UNIT', 'USER_UNIT', 'OBJECT_SYSTEMD_USER_UNIT', 'COREDUMP_USER_UNIT'],
];

/** Options of {@link readJournalTails}; the caller has the journal synced. */
export interface JournalTailsOptions extends Pick<JournalTailOptions, 'mode' | 'lines' | 'signal'> {
  /** Programs that read at the same time. */
  readonly atOnce: number;
}

/**
 * What the log of each unit said last, as `readJournalTail` gives it of one. Units without a line are missing, and all are where the journal
 * cannot be read.
 */
export async function readJournalTails(
  units: readonly string[],
  options: JournalTailsOptions,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const tails = new Map<string, readonly string[]>();
  let asked = units;
  while (asked.length > 0) {
    const groups = groupsOf(asked);
    const rests = await mapAtOnce(groups, options.atOnce, (group) =>
      readGroup(group, options, tails),
    );
    // Each time at least one of every group is done with: that which wrote most.
    asked = rests.flat();
  }
  return tails;
}

function groupsOf(units: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(units.length / UNITS_AT_ONCE);
  return Array.from({ length: count }, (_, index) =>
    units.slice(index * UNITS_AT_ONCE, (index + 1) * UNITS_AT_ONCE),
  );
}

/** Adds what is known of the units by now, and gives those of which too little was read. */
async function readGroup(
  units: readonly string[],
  options: JournalTailsOptions,
  tails: Map<string, readonly string[]>,
): Promise<readonly string[]> {
  const { lines } = options;
  const most = units.length === 1 ? lines : units.length * lines * SPARE;
  const entries = await readEntries(units, most, options);
  const rest: string[] = [];
  for (const [unit, own] of entriesByUnit(units, entries, options.mode)) {
    if (own.length < lines && entries.length >= most && units.length > 1) rest.push(unit);
    else if (own.length > 0) tails.set(unit, own.slice(-lines).map(lineOf).map(showLine));
  }
  if (rest.length < units.length) return rest;
  // Nobody knows whose the lines are.
  for (const unit of rest) await readGroup([unit], options, tails);
  return [];
}

/** The entries of each unit. All that was read for a unit alone is of it: whoever asked journalctl need not know by what. */
export function entriesByUnit(
  units: readonly string[],
  entries: readonly JournalFields[],
  mode: 'system' | 'user',
): ReadonlyMap<string, readonly JournalFields[]> {
  const [alone, ...others] = units;
  if (alone !== undefined && others.length === 0) return new Map([[alone, entries]]);
  const byUnit = new Map<string, JournalFields[]>(units.map((unit) => [unit, []]));
  for (const entry of entries)
    for (const unit of unitsOf(entry, mode)) byUnit.get(unit)?.push(entry);
  return byUnit;
}

async function readEntries(
  units: readonly string[],
  most: number,
  { mode, signal }: JournalTailsOptions,
): Promise<readonly JournalFields[]> {
  const option = mode === 'user' ? '--user-unit' : '--unit';
  try {
    const { stdout } = await runProgram(
      [
        'journalctl',
        ...['--output=json', `--output-fields=${FIELDS.join(',')}`, '--no-pager', '--quiet'],
        ...[`--lines=${most}`, ...units.map((unit) => `${option}=${unit}`)],
      ],
      { signal, maxOutputBytes: 33_554_432 },
    );
    return parseJournalEntries(stdout.toString('utf8'));
  } catch {
    return []; // as of one unit: what is shown beside the log is more important
  }
}

/** SD_MESSAGE_COREDUMP of sd-messages.h. */
const COREDUMP = 'fc2e22bc6ee647b6b90729ab34a250b1';

/**
 * The units that an entry is of, or about, as journalctl decides it (src/shared/logs-show.c, `add_matches_for_unit`). Anybody may write a
 * field like `UNIT`: it counts from systemd alone.
 */
export function unitsOf(entry: JournalFields, mode: 'system' | 'user'): readonly string[] {
  const text = (field: string): string => fieldText(entry[field]);
  const isRoot = text('_UID') === '0';
  if (mode === 'user') {
    const isOwn = text('_UID') === String(process.getuid?.());
    const fields = ['_SYSTEMD_USER_UNIT', 'USER_UNIT', 'OBJECT_SYSTEMD_USER_UNIT'];
    return isOwn ? namesOf([...fields, 'COREDUMP_USER_UNIT'].map(text)) : [];
  }
  return namesOf([
    text('_SYSTEMD_UNIT'),
    text('_PID') === '1' ? text('UNIT') : '',
    isRoot ? text('OBJECT_SYSTEMD_UNIT') : '',
    isRoot && text('MESSAGE_ID') === COREDUMP ? text('COREDUMP_UNIT') : '',
  ]);
}

function namesOf(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.filter((text) => text !== ''))];
}
