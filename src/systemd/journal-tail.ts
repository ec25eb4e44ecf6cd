import { escapeText } from '../base/escape-text.js';
import { runProgram } from '../base/subprocess.js';

/** Which log lines {@link readJournalTail} gives. */
export interface JournalTailOptions {
  readonly mode: 'system' | 'user';
  /** Most lines. */
  readonly lines: number;
  /** Only of this run of the unit (`UnitState.invocationId`). */
  readonly invocationId?: string | undefined;
  /** Whether {@link syncJournal} came before. */
  readonly isSynced?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** One line of a unit's log. */
export interface JournalLine {
  /** Microseconds since the epoch. */
  readonly timestampUs: bigint;
  /** 0 (emergency) to 7 (debug). */
  readonly priority: number;
  /** `SYSLOG_IDENTIFIER`: the program, or `systemd` where systemd speaks about the unit. */
  readonly identifier: string;
  /** Of the run that it belongs to, where the journal knows. */
  readonly invocationId: string | undefined;
  /** May hold anything that the program wrote: escape it before it is shown. */
  readonly message: string;
}

/**
 * What the log of a unit said last, oldest line first, each as `PROGRAM: MESSAGE`, safe to show. Empty where there is no
 * journal or it cannot be read: a failure that is being reported is not made worse by its log.
 */
export async function readJournalTail(
  unit: string,
  options: JournalTailOptions,
): Promise<readonly string[]> {
  return (await readJournalLines(unit, options)).map(showLine);
}

/** A line as a person is shown it. */
export function showLine({ identifier, message }: JournalLine): string {
  return escapeText(
    identifier === '' ? message : `${identifier}: ${message}`,
    MAX_SHOWN_CHARACTERS,
  );
}

/** Longer lines (dumps, base64) say nothing more in an error message. */
const MAX_SHOWN_CHARACTERS = 400;

/** Read at least where one run is asked for: its lines are counted from its first one. */
const MIN_READ_LINES = 500;

/** The same with time and priority, messages as they were written. */
export async function readJournalLines(
  unit: string,
  options: JournalTailOptions,
): Promise<readonly JournalLine[]> {
  const { mode, invocationId, lines } = options;
  const about = mode === 'user' ? `--user-unit=${unit}` : `--unit=${unit}`;
  try {
    if (mode === 'system' && options.isSynced !== true) await syncJournal();
    const { stdout } = await runProgram(
      [
        'journalctl',
        '--output=json',
        '--no-pager',
        '--quiet',
        `--lines=${invocationId === undefined ? lines : Math.max(lines, MIN_READ_LINES)}`,
        about,
      ],
      { signal: options.signal, maxOutputBytes: 4_194_304 },
    );
    const entries = parseJournalLines(stdout.toString('utf8'));
    return (invocationId === undefined ? entries : linesOfRun(entries, invocationId)).slice(-lines);
  } catch {
    return []; // see above: there is something more important to say
  }
}

/**
 * The lines from the first one of a run on; all where the run has none. Not asked of the journal: what a process wrote that
 * ended at once often has no invocation id there, because journald looks it up too late. What systemd itself wrote has.
 */
export function linesOfRun(
  lines: readonly JournalLine[],
  invocationId: string,
): readonly JournalLine[] {
  const first = lines.findIndex((line) => line.invocationId === invocationId);
  // A journald that is late takes in a program's words before those of systemd that the run begins with.
  const before = lines.slice(0, Math.max(first, 0));
  return lines.slice(before.findLastIndex((line) => line.invocationId !== undefined) + 1);
}

/** What was just written may still be on its way to the journal; without the right to ask for this, what is there is taken. */
export async function syncJournal(): Promise<void> {
  await runProgram(['journalctl', '--sync'], { okStatuses: [0, 1] });
}

/** Fields in which a line names the unit that it is of, or about; what `--unit` looks at (journalctl(1)). */
const UNIT_FIELDS = ['_SYSTEMD_UNIT', 'UNIT', 'OBJECT_SYSTEMD_UNIT', 'COREDUMP_UNIT'];

/**
 * All units of the system that the journal has a line of: of the others nothing need be read. The journal keeps such a list, so that it
 * takes no longer than reading the log of one. Undefined where it cannot be had.
 */
export async function findLoggedUnits(
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const read = async (field: string): Promise<readonly string[]> => {
    const { stdout } = await runProgram(['journalctl', '--no-pager', '--quiet', '--field', field], {
      signal,
      maxOutputBytes: 4_194_304,
    });
    return stdout.toString('utf8').split('\n');
  };
  try {
    return new Set((await Promise.all(UNIT_FIELDS.map(read))).flat());
  } catch {
    return undefined;
  }
}

/** The fields of an entry of the journal as `journalctl --output=json` prints them. */
export type JournalFields = Readonly<Record<string, unknown>>;

/** Parses what `journalctl --output=json` prints: an object a line; fields that are not UTF-8 are lists of bytes. */
export function parseJournalLines(text: string): readonly JournalLine[] {
  return parseJournalEntries(text).map(lineOf);
}

/** The same with all fields. */
export function parseJournalEntries(text: string): readonly JournalFields[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalFields);
}

/** The line that an entry is. */
export function lineOf(entry: JournalFields): JournalLine {
  const time = entry['__REALTIME_TIMESTAMP'];
  return {
    timestampUs: typeof time === 'string' && /^\d+$/.test(time) ? BigInt(time) : 0n,
    priority: Number(fieldText(entry['PRIORITY']) || '6'),
    identifier: fieldText(entry['SYSLOG_IDENTIFIER']),
    invocationId:
      fieldText(
        // systemd's own lines first name the run they are about; the other field then is that of systemd itself.
        entry['INVOCATION_ID'] ?? entry['USER_INVOCATION_ID'] ?? entry['_SYSTEMD_INVOCATION_ID'],
      ) || undefined,
    message: fieldText(entry['MESSAGE']),
  };
}

/** The text of a field; of several of one name, of the first. */
export function fieldText(value: unknown): string {
  if (typeof value === 'string') return value;
  // A list of bytes, or of several values of one field, of which the first counts.
  if (!Array.isArray(value)) return '';
  return value.every((item) => typeof item === 'number')
    ? Buffer.from(value).toString('utf8')
    : fieldText(value[0]);
}
