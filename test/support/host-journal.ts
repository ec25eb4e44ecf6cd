/** One entry of a host's journal. */
export interface JournalEntry {
  readonly message: string;
  /** Microseconds since that boot's kernel started; only entries of one boot can be compared. */
  readonly monotonicUs: number;
  readonly realtimeUs: number;
  readonly bootId: string;
  /** The unit whose process wrote it; for systemd's own entries, see `aboutUnit`. */
  readonly unit: string | undefined;
  /** The unit that an entry of systemd itself is about. */
  readonly aboutUnit: string | undefined;
  /** systemd's number of the kind of entry, see {@link messageIds}. */
  readonly messageId: string | undefined;
  readonly pid: number | undefined;
  /** 0 (emergency) to 7 (debug). */
  readonly priority: number;
}

/** Kinds of systemd's entries that tests look for (systemd, sd-messages.h). */
export const messageIds = {
  unitStarting: '7d4958e842da4a758f6c1cdc7b36dcc5',
  unitStarted: '39f53479d3a045ac8e11786248231fbf',
  unitStopping: 'de5b426a63be47a7b6ac3eaac82e2f6f',
  unitStopped: '9d1aaa27d60140bd96365438aad20286',
  unitFailed: 'be02cf6855d2428ba40df7e9d022f03d',
} as const;

/** Parses what `journalctl --output=json` prints. */
export function parseJournal(text: string): readonly JournalEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
      const pid = textOf(fields['_PID']);
      return {
        message: textOf(fields['MESSAGE']) ?? '',
        monotonicUs: Number(textOf(fields['__MONOTONIC_TIMESTAMP'])),
        realtimeUs: Number(textOf(fields['__REALTIME_TIMESTAMP'])),
        bootId: textOf(fields['_BOOT_ID']) ?? '',
        unit: textOf(fields['_SYSTEMD_UNIT']),
        aboutUnit: textOf(fields['UNIT']),
        messageId: textOf(fields['MESSAGE_ID']),
        pid: pid === undefined ? undefined : Number(pid),
        priority: Number(textOf(fields['PRIORITY']) ?? 6),
      };
    });
}

/** A field's text; the journal gives bytes that are not UTF-8 as a list of numbers, and repeated fields as a list. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return typeof value[0] === 'number'
    ? Buffer.from(value as number[]).toString()
    : textOf(value[0]);
}
