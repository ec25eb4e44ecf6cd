import { withContext } from '../errors/with-context.js';
import { getContainer } from './container-directory.js';
import { finishUninstall, type FinishedUninstall } from './finish-uninstall.js';
import type { Host } from './host.js';
import { beginJournal, journalEntryFor } from './journal.js';
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
 * store, its state stays unless purged.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, BUSY, SYSTEMD_UNAVAILABLE
 */
export async function uninstall(
  host: Host,
  name: string,
  options: UninstallOptions,
): Promise<UninstallResult> {
  return withContext(`cannot uninstall '${name}'`, async () => {
    await getContainer(host.paths, name); // a mistyped name is told before a lock file is made for it
    return withNameLock(host, name, async () => {
      const deployment = await getContainer(host.paths, name);
      await host.openUnitManager();
      const entry = journalEntryFor('uninstall', deployment, options);
      await beginJournal(host.paths, entry);
      return { name, ...(await finishUninstall(host, entry)) };
    });
  });
}
