import { removeUnneededUnits } from './begin-change.js';
import { bringUp } from './bring-up.js';
import type { Host } from './host.js';
import { endJournal, type JournalEntry } from './journal.js';
import { placeNewVersions } from './new-versions.js';
import { removeOneRunMark } from './one-run-marks.js';
import { rejoinSets } from './leave-sets.js';
import type { RemovedFiles } from './remove-files.js';
import { settle } from './settle.js';
import { switchOver } from './switch-over.js';

/** What carrying transitions to their end came to. */
export interface CompletedTransition extends RemovedFiles {
  /** Folders of state that stay. */
  readonly statePaths: readonly string[];
  /** What the image has for files that were kept, beside them: `PATH.berth-new`. */
  readonly newVersions: readonly string[];
}

/** Options of {@link completeTransition}. */
export interface CompleteOptions {
  /**
   * The host is booting and berth's units wait for this: nothing is started. What has to be watched keeps its journal
   * entry, for the next command.
   */
  readonly atBoot: boolean;
}

/**
 * Carries transitions that are decided to their end: host switched over, services up and well, leftovers gone, journal
 * entry gone. Every step may find that it was done already, so the same call finishes what was interrupted.
 *
 * @throws whatever keeps it from its end; the entry is still there then
 */
export async function completeTransition(
  host: Host,
  entry: JournalEntry,
  { atBoot }: CompleteOptions = { atBoot: false },
): Promise<CompletedTransition> {
  const { kept, saved, stopped } = await switchOver(host, entry);
  const runs = (await host.openUnitManager()).kind === 'dbus';
  if (runs && !atBoot) await bringUp(host, entry, { stopped });
  else if (runs && entry.watch && entry.transitions.some(({ starts }) => starts))
    return { kept, saved, statePaths: [], newVersions: [] };
  return { kept, saved, ...(await clearUp(host, entry, kept)) };
}

/**
 * The last of {@link completeTransition}, which is the only thing left where what is new is in place and there is nothing to go back
 * to: leftovers gone, journal entry gone. Of what is new, a failure is told, and the entry stays.
 */
export async function clearUp(
  host: Host,
  entry: JournalEntry,
  kept: readonly string[],
): Promise<Pick<CompletedTransition, 'statePaths' | 'newVersions'>> {
  try {
    const newVersions = await placeNewVersions(host, entry, kept);
    const statePaths = await settle(host, entry);
    if (entry.operation === 'undo') await rejoinSets(host, entry.left ?? []);
    await endJournal(host.paths, entry.name);
    // Until here the mark of what was there for one run is what brings the next command back to it.
    for (const { name, to } of entry.transitions)
      if (to === undefined) await removeOneRunMark(host.paths, name);
    // Of two last ones that went at the same time, each saw the other: whoever ends later sees nobody.
    if (entry.transitions.some(({ to }) => to === undefined)) await removeAfterAll(host);
    return { statePaths, newVersions };
  } catch (error) {
    if (entry.operation === 'uninstall' || entry.operation === 'undo') throw error;
    // What is new is in place and well: leftovers are no reason to go back, and the next command tries again.
    host.onEvent({
      kind: 'warning',
      text: `clearing up after the ${entry.operation} of '${entry.name}' failed: ${error instanceof Error ? error.message : String(error)}; run 'berth recover'`,
    });
    return { statePaths: [], newVersions: [] };
  }
}

async function removeAfterAll(host: Host): Promise<void> {
  if (!(await removeUnneededUnits(host, []))) return;
  const units = await host.openUnitManager();
  await units.reload();
}
