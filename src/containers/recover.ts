import { escapeText } from '../base/escape-text.js';
import { finishApply } from './apply-staging.js';
import { settingsFile } from './container-settings.js';
import { clearUp, completeTransition, type CompleteOptions } from './complete-transition.js';
import { listDeploymentNumbers, readNameLink } from './container-directory.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import { findJournal, journalFile, type JournalEntry } from './journal.js';
import { removeUnfinishedLink } from './name-link.js';
import { newVersionsOf } from './new-versions.js';
import { removeLeftovers } from './remove-deployments.js';
import { removeTemporaries } from './remove-temporaries.js';
import { takeBack } from './take-back.js';
import { directoryOf, type Transition } from './transition.js';

/**
 * Finishes or takes back what an earlier command on this name left when it was killed: see {@link JournalEntry}. Call with
 * the lock of the name held. Does nothing, and quickly, where nothing was left.
 */
export async function recoverContainer(
  host: Host,
  name: string,
  options: CompleteOptions = { atBoot: false },
): Promise<void> {
  const { paths } = host;
  await finishApply(host, name);
  const found = await findJournal(paths, name);
  const entry = found === undefined ? undefined : await withoutOvertaken(host, found);
  await removeTemporaries([
    paths.onDisk(journalFile(paths, name)),
    paths.onDisk(settingsFile(paths, name)),
    ...(entry?.transitions ?? [])
      .flatMap(({ from, to }) => [...(from?.files ?? []), ...(to?.files ?? [])])
      .flatMap((file) => [file, ...newVersionsOf([file])])
      .map((file) => paths.onDisk(file.path)),
  ]);
  if (entry === undefined) {
    removeLeftovers(host, name);
    return;
  }
  host.onEvent({
    kind: 'warning',
    text: `an earlier ${entry.operation} of '${name}' was interrupted, finishing it`,
  });
  // Before the entry goes: nobody looks for them after that.
  for (const transition of entry.transitions) {
    removeLeftovers(host, transition.name);
    removeUnfinishedLink(host, transition.name);
  }
  if (entry.operation === 'undo' || entry.operation === 'uninstall')
    await completeTransition(host, entry, options);
  else if (await isCommitted(host, entry)) await finishOrTakeBack(host, entry, options);
  else await takeBack(host, entry, options);
}

/** Whether a change that was interrupted had reached its commit point: the first link that was renamed decided for all. */
export async function isCommitted(host: Host, entry: JournalEntry): Promise<boolean> {
  for (const { name, to } of entry.transitions) {
    if (to !== undefined && (await readNameLink(host.paths, name)) === directoryOf(name, to))
      return true;
  }
  return false;
}

/**
 * The entry of a set whose clearing up failed waits for a command to which it does not, and a member may have been changed by
 * itself in between: one that is at neither end of its transition any more is left alone.
 */
async function withoutOvertaken(host: Host, entry: JournalEntry): Promise<JournalEntry> {
  if (setNameOf(entry.name) === undefined) return entry;
  const transitions: Transition[] = [];
  for (const transition of entry.transitions) {
    const { name, from, to } = transition;
    const present = await readNameLink(host.paths, name);
    if ([from, to].some((side) => directoryOf(name, side) === present))
      transitions.push(transition);
  }
  return { ...entry, transitions };
}

/**
 * Whatever kept a transition from being finished (a file that was put in its way meanwhile, a version that is not well)
 * would keep every later command on this name from running, uninstall included.
 */
async function finishOrTakeBack(
  host: Host,
  entry: JournalEntry,
  options: CompleteOptions,
): Promise<void> {
  try {
    await completeTransition(host, entry, options);
  } catch (error) {
    if (host.signal.aborted) throw error;
    const why = escapeText(error instanceof Error ? error.message : String(error));
    const isWayBack = await hasWayBack(host, entry);
    const then = isWayBack ? 'taking it back' : 'and what was before is removed already, it stays';
    host.onEvent({ kind: 'warning', text: `it cannot be finished, ${then}: ${why}` });
    if (isWayBack) await takeBack(host, entry, { ...options, error });
    else await clearUp(host, entry, []);
  }
}

/**
 * Whether all that was before is there still. Of what was killed while it cleared up, some of it may be gone: that was up and
 * well then, and what is wrong now came later.
 */
async function hasWayBack(host: Host, entry: JournalEntry): Promise<boolean> {
  for (const { name, from } of entry.transitions) {
    if (from === undefined) continue;
    if (!(await listDeploymentNumbers(host.paths, name)).includes(from.number)) return false;
  }
  return true;
}
