import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';

/** One directive of a drop-in. */
export interface DropInRow {
  readonly section: string;
  readonly key: string;
  /** As it is to stand in the file: `%` and `$` already as systemd reads them. Empty resets a list. */
  readonly value: string;
}

/** File name of berth's own drop-in, below `UNIT.d/`. */
export const DROP_IN_NAME = '10-berth.conf';

/**
 * The text of `UNIT.d/10-berth.conf`: rows by section in the order [Unit], [Service], others as they come, each row once.
 *
 * @throws {@link OperationalError} UNIT_INVALID if a row would be more than one directive
 */
export function formatDropIn(rows: readonly DropInRow[]): string {
  const order = [...new Set(['Unit', 'Service', ...rows.map((row) => row.section)])];
  const sections = order.map((section) => formatSection(section, rows));
  return `# Written by berth; changes are lost at the next update. Put yours into a file of your own beside this one.\n${sections.join('')}`;
}

function formatSection(section: string, rows: readonly DropInRow[]): string {
  const lines = rows.filter((row) => row.section === section).map(formatRow);
  return lines.length === 0 ? '' : `\n[${section}]\n${[...new Set(lines)].join('')}`;
}

function formatRow(row: DropInRow): string {
  if (
    !/^[A-Za-z0-9]+$/.test(row.section) ||
    !/^[A-Za-z0-9]+$/.test(row.key) ||
    /[\u0000-\u0008\u000a-\u001f\u007f]|\\$/.test(row.value)
  ) {
    throw new OperationalError(
      'UNIT_INVALID',
      `refusing to write the directive ${quote(`[${row.section}] ${row.key}=${row.value}`)}`,
    );
  }
  return `${row.key}=${row.value}\n`;
}
