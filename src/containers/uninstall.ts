import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { withContext } from '../errors/with-context.js';
import { assertRemovable } from './assert-removable.js';
import { clearOwnUnits } from './begin-change.js';
import { findContainer, getContainer } from './container-directory.js';
import { findSet, listSetNames } from './container-sets.js';
import { completeTransition, type CompletedTransition } from './complete-transition.js';
import type { Host } from './host.js';
import { beginJournal, listJournal, type JournalEntry } from './journal.js';
import { readDeployments } from './list-containers.js';
import { withNameLock } from './name-lock.js';
import { findDependents } from './resolve-dependencies.js';
import { listOneRuns } from './one-run-marks.js';
import { uninstallEntry } from './uninstall-entry.js';

/** Options of {@link uninstall}. */
export interface UninstallOptions {
  /** Removes the directories that the container kept its state in, with what is in them. */
  readonly purge: boolean;
  /** Also where other containers require it, which then do not start any more. */
  readonly force?: boolean;
  /** Containers that the same command uninstalls: that they require it counts for nothing. */
  readonly alongWith?: readonly string[];
}

/** What uninstalling came to. */
export interface UninstallResult extends Omit<CompletedTransition, 'newVersions'> {
  readonly name: string;
}

/**
 * Stops, disables and removes a container: its units, host files (unchanged ones) and deployments. Its image stays in the
 * store, its state stays unless purged. What an interrupted command left of a container that is not installed any more, or
 * not yet, is removed as well, and is success.
 *
 * @throws OperationalError CONTAINER_NOT_FOUND, CONTAINER_REQUIRED, BUSY, SYSTEMD_UNAVAILABLE
 */
export async function uninstall(
  host: Host,
  name: string,
  options: UninstallOptions,
): Promise<UninstallResult> {
  return withContext(`cannot uninstall '${name}'`, async () => {
    // A mistyped name is told before a lock file is made for it.
    const interrupted = [
      ...(await listJournal(host.paths)),
      ...(await listOneRuns(host.paths)),
    ].includes(name);
    if (!interrupted) {
      if ((await findContainer(host.paths, name)) === undefined) await clearOwnUnits(host);
      await getContainer(host.paths, name);
    }
    return withNameLock(host, name, async () => {
      const deployment = interrupted
        ? await findContainer(host.paths, name)
        : await getContainer(host.paths, name);
      if (deployment === undefined) return { name, kept: [], saved: [], statePaths: [] };
      // The bus of a service manager that has ended may still lie there: nothing is begun that cannot be ended.
      await (await host.openUnitManager()).findSystemdVersion();
      if (options.force !== true) await assertNotRequired(host, name, options.alongWith ?? []);
      await assertRemovable(host, name, deployment);
      const entry = await uninstallEntry(host, deployment, options);
      await beginIfThereIsRoom(host, entry);
      const { kept, saved, statePaths } = await completeTransition(host, entry);
      await warnOfSets(host, name);
      return { name, kept, saved, statePaths };
    });
  });
}

/** A set with a member that is gone is not updated any more, and 'update --all' says so every time. */
async function warnOfSets(host: Host, name: string): Promise<void> {
  for (const set of await listSetNames(host.paths)) {
    if (!(await membersOf(host, set)).includes(name)) continue;
    const text = `'${name}' belongs to the set '${set}', which is not updated without it: 'berth sets create' makes the set anew, 'berth sets delete ${set}' lets the others go on by themselves`;
    host.onEvent({ kind: 'warning', text });
  }
}

/** Of a set whose record is damaged nobody knows; whoever works on it is told. */
async function membersOf(host: Host, set: string): Promise<readonly string[]> {
  try {
    return (await findSet(host.paths, set))?.members ?? [];
  } catch (error) {
    if (error instanceof OperationalError) return [];
    throw error;
  }
}

/** Sorts names so that a container goes before what it requires; else as they were given. */
export async function orderForUninstall(
  host: Host,
  names: readonly string[],
): Promise<readonly string[]> {
  const { deployments } = await readDeployments(host);
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    const dependents = findDependents(name, deployments).filter((other) => names.includes(other));
    for (const other of dependents) if (!ordered.includes(other)) visit(other);
    ordered.push(name);
  };
  for (const name of new Set(names)) visit(name);
  return ordered;
}

/** @throws OperationalError CONTAINER_REQUIRED if others than `alongWith` require it */
export async function assertNotRequired(
  host: Host,
  name: string,
  alongWith: readonly string[],
): Promise<void> {
  const { deployments } = await readDeployments(host);
  const dependents = findDependents(name, deployments).filter(
    (other) => !alongWith.includes(other),
  );
  if (dependents.length === 0) return;
  throw new OperationalError(
    'CONTAINER_REQUIRED',
    `${dependents.join(', ')} require${dependents.length === 1 ? 's' : ''} it`,
    {
      hint: `uninstall ${dependents.join(', ')}, too, or add '--force'`,
    },
  );
}

/**
 * What frees space must not need some first. Without an entry a kill leaves a container whose link, which goes last, is
 * still there: uninstalling again finishes it.
 */
async function beginIfThereIsRoom(host: Host, entry: JournalEntry): Promise<void> {
  try {
    await beginJournal(host.paths, entry);
  } catch (error) {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    host.onEvent({
      kind: 'warning',
      text: 'there is no room for a journal entry, going on without: if this is interrupted, uninstall again',
    });
  }
}
