import { withContext } from '../errors/with-context.js';
import { findContainer, getContainer } from './container-directory.js';
import { finishUninstall, type FinishedUninstall } from './finish-uninstall.js';
import type { Host } from './host.js';
import { beginJournal, journalEntryFor, listJournal } from './journal.js';
import { withNameLock } from './name-lock.js';

/** Options of {@link uninstall}. */
export interface UninstallOptions {
  /** Removes the directories that the container kept its state in, with what is in them. */
  readonly purge: boolean;
}

/** What uninstalling came to. */
export interface UninstallResult extends FinishedUninstall {
  readonly name: string;
}

/**
 * Stops, disables and removes a container: its units, host files (unchanged ones) and deployments. Its image stays in the
 * store, its state stays unless purged. What an interrupted command left of a container that is not installed any more, or
 * not yet, is removed as well, and is success.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, BUSY, SYSTEMD_UNAVAILABLE
 */
export async function uninstall(
  host: Host,
  name: string,
  options: UninstallOptions,
): Promise<UninstallResult> {
  return withContext(`cannot uninstall '${name}'`, async () => {
    // A mistyped name is told before a lock file is made for it.
    const interrupted = (await listJournal(host.paths)).includes(name);
    if (!interrupted) await getContainer(host.paths, name);
    return withNameLock(host, name, async () => {
      const deployment = interrupted
        ? await findContainer(host.paths, name)
        : await getContainer(host.paths, name);
      if (deployment === undefined) return { name, kept: [], saved: [], statePaths: [] };
      await host.openUnitManager();
      const entry = journalEntryFor('uninstall', deployment, options);
      await beginJournal(host.paths, entry);
      return { name, ...(await finishUninstall(host, entry)) };
    });
  });
}
