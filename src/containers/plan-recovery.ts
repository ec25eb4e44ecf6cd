import { tryLock } from '../sys/lock-file.js';
import { stillRuns } from './abandoned-runs.js';
import { listStaged } from './apply-staging.js';
import type { Host } from './host.js';
import { findJournal, listJournal, type JournalOperation } from './journal.js';
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
 * that is known when it is tried.
 */
export async function planRecovery(host: Host): Promise<readonly PlannedRecovery[]> {
  assertPrivileged(host);
  const { paths } = host;
  const planned: PlannedRecovery[] = [];
  for (const name of await listOneRuns(paths))
    if (await isAbandoned(host, name)) planned.push({ name, operation: 'run', action: 'remove' });
  // What stands in its place was checked whole before it was put there.
  for (const name of await listStaged(paths))
    planned.push({ name, operation: 'apply', action: 'finish' });
  for (const name of await listJournal(paths)) {
    const entry = await findJournal(paths, name);
    if (entry === undefined) continue; // only the beginning of one: nothing was changed yet
    const { operation } = entry;
    const finishes =
      operation === 'undo' || operation === 'uninstall' || (await isCommitted(host, entry));
    planned.push({ name, operation, action: finishes ? 'finish' : 'take back' });
  }
  return planned;
}

async function isAbandoned(host: Host, name: string): Promise<boolean> {
  using held = tryLock(host.paths.onDisk(oneRunMark(host.paths, name)), 'exclusive');
  return held !== undefined && !(await stillRuns(host, name, { atBoot: false }));
}
