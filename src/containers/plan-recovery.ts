import { tryExistingLock } from '../sys/lock-file.js';
import { stillRuns } from './abandoned-runs.js';
import { listStaged } from './apply-staging.js';
import type { Host } from './host.js';
import { findJournal, listJournal, type JournalEntry, type JournalOperation } from './journal.js';
import { isNameHeld } from './lock-name.js';
import { listOneRuns, oneRunMark } from './one-run-marks.js';
import { assertPrivileged } from './preflight.js';
import { isCommitted } from './recover.js';

/** What recovering will do with one thing that was left; made without changing anything. */
export interface PlannedRecovery {
  /** Of the container, or `@SET`. */
  readonly name: string;
  /** What was interrupted. */
  readonly operation: JournalOperation | 'apply' | 'run';
  /** `finish`; `take back` to what was before; `remove` the container of a run that was killed. */
  readonly action: 'finish' | 'take back' | 'remove';
}

/**
 * What {@link recoverAll} would do now. A change that cannot be finished, because the new version is not well, is taken back then:
 * that is known when it is tried. What somebody is at work on, and what cannot be read, is warned of and left out.
 */
export async function planRecovery(host: Host): Promise<readonly PlannedRecovery[]> {
  assertPrivileged(host);
  const { paths } = host;
  const planned: PlannedRecovery[] = [];
  for (const name of await listOneRuns(paths))
    if (await isAbandoned(host, name)) planned.push({ name, operation: 'run', action: 'remove' });
  // What stands in its place was checked whole before it was put there.
  for (const name of await listStaged(paths))
    if (!leavesOut(host, name)) planned.push({ name, operation: 'apply', action: 'finish' });
  for (const name of await listJournal(paths)) {
    if (leavesOut(host, name)) continue;
    try {
      const entry = await findJournal(paths, name);
      if (entry !== undefined) planned.push(await planEntry(host, name, entry));
    } catch (error) {
      host.signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      host.onEvent({ kind: 'warning', text: `'${name}' cannot be recovered: ${why}` });
    }
  }
  return planned;
}

async function planEntry(host: Host, name: string, entry: JournalEntry): Promise<PlannedRecovery> {
  const { operation } = entry;
  const finishes =
    operation === 'undo' || operation === 'uninstall' || (await isCommitted(host, entry));
  return { name, operation, action: finishes ? 'finish' : 'take back' };
}

/** Nothing is interrupted as long as whoever began it is there. */
function leavesOut(host: Host, name: string): boolean {
  if (!isNameHeld(host, name)) return false;
  const text = `another berth is changing '${name}' at present, leaving it out`;
  host.onEvent({ kind: 'warning', text });
  return true;
}

async function isAbandoned(host: Host, name: string): Promise<boolean> {
  using held = tryExistingLock(host.paths.onDisk(oneRunMark(host.paths, name)), 'exclusive');
  return held !== undefined && !(await stillRuns(host, name, { atBoot: false }));
}
