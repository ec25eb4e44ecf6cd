import { escapeText } from '../base/escape-text.js';
import { runProgram } from '../base/subprocess.js';

/** Which log lines {@link readJournalTail} gives. */
export interface JournalTailOptions {
  readonly mode: 'system' | 'user';
  /** Most lines. */
  readonly lines: number;
  /** Only of this run of the unit (`UnitState.invocationId`). */
  readonly invocationId?: string | undefined;
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
  return (await readJournalLines(unit, options)).map(({ identifier, message }) =>
    escapeText(identifier === '' ? message : `${identifier}: ${message}`, MAX_SHOWN_CHARACTERS),
  );
}

/** Longer lines (dumps, base64) say nothing more in an error message. */
const MAX_SHOWN_CHARACTERS = 400;

/** The same with time and priority, messages as they were written. */
export async function readJournalLines(
  unit: string,
  options: JournalTailOptions,
): Promise<readonly JournalLine[]> {
  const { mode, invocationId } = options;
  const about =
    invocationId === undefined
      ? [mode === 'user' ? `--user-unit=${unit}` : `--unit=${unit}`]
      : // Both fields: what the unit's processes wrote, and what the manager wrote about this run.
        mode === 'user'
        ? [`_SYSTEMD_INVOCATION_ID=${invocationId}`, '+', `USER_INVOCATION_ID=${invocationId}`]
        : [`_SYSTEMD_INVOCATION_ID=${invocationId}`, '+', `INVOCATION_ID=${invocationId}`];
  try {
    // What was just written may still be on its way; without the right to ask for this, take what is there.
    if (mode === 'system') await runProgram(['journalctl', '--sync'], { okStatuses: [0, 1] });
    const { stdout } = await runProgram(
      [
        'journalctl',
        '--output=json',
        '--no-pager',
        '--quiet',
        `--lines=${options.lines}`,
        ...about,
      ],
      { signal: options.signal, maxOutputBytes: 4_194_304 },
    );
    return parseJournalLines(stdout.toString('utf8'));
  } catch {
    return []; // see above: there is something more important to say
  }
}

/** Parses what `journalctl --output=json` prints: an object a line; fields that are not UTF-8 are lists of bytes. */
export function parseJournalLines(text: string): readonly JournalLine[] {
  return text.split('\n').flatMap((line): JournalLine[] => {
    if (line === '') return [];
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const time = entry['__REALTIME_TIMESTAMP'];
    return [
      {
        timestampUs: typeof time === 'string' && /^\d+$/.test(time) ? BigInt(time) : 0n,
        priority: Number(fieldText(entry['PRIORITY']) || '6'),
        identifier: fieldText(entry['SYSLOG_IDENTIFIER']),
        message: fieldText(entry['MESSAGE']),
      },
    ];
  });
}

function fieldText(value: unknown): string {
  if (typeof value === 'string') return value;
  // A list of bytes, or of several values of one field, of which the first counts.
  if (!Array.isArray(value)) return '';
  return value.every((item) => typeof item === 'number')
    ? Buffer.from(value).toString('utf8')
    : fieldText(value[0]);
}
