import { fstatSync } from 'node:fs';

/** Priorities of syslog(3) that berth's own lines have. */
export type JournalPriority = 'error' | 'warning' | 'info';

const NUMBERS: Readonly<Record<JournalPriority, number>> = { error: 3, warning: 4, info: 6 };

/**
 * Text for standard error. Where that is the journal, each line gets its priority (sd-daemon(3)), so that `journalctl -p err`
 * has what failed in a unit of berth's; a person at a terminal, and a file, get it as it is.
 */
export function journalLines(
  text: string,
  priority: JournalPriority,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (!isJournal(env['JOURNAL_STREAM'])) return text;
  return text.replaceAll(/^(?=.)/gm, `<${NUMBERS[priority]}>`);
}

/** The variable is inherited by programs whose standard error went elsewhere since (systemd.exec(5), "$JOURNAL_STREAM"). */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}
