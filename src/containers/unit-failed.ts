import { OperationalError } from '../errors/operational-error.js';
import { readJournalTail } from '../systemd/journal-tail.js';
import type { Host } from './host.js';

/** Lines of the unit's log that the error shows: enough for the reason, short enough to read. */
const LOG_LINES = 5;

/** The error that a unit did not do what it was asked, with what its log says last, of one run where that is given. */
export async function unitFailed(
  host: Host,
  unit: string,
  failure: { readonly problem: string; readonly invocationId?: string | undefined },
): Promise<OperationalError> {
  const { mode } = host.paths;
  const { problem, invocationId } = failure;
  const log = await readJournalTail(unit, { lines: LOG_LINES, mode, invocationId });
  const said = log.length === 0 ? '' : `; its log ends with: ${log.join(' | ')}`;
  return new OperationalError('UNIT_JOB_FAILED', `${unit}: ${problem}${said}`, {
    hint: `see 'journalctl ${mode === 'user' ? '--user ' : ''}-u ${unit}' and 'systemctl status ${unit}'`,
  });
}
