import { readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { isErrno } from '../errors/is-errno.js';
import { removeUnusedLaunchers } from './place-launcher.js';
import { removeSettings } from './container-settings.js';
import { removePath } from './remove-path.js';
import { listDeploymentNumbers } from './container-directory.js';
import type { Host } from './host.js';
import { bringsUnits, endJournal, type JournalEntry } from './journal.js';
import { ownersOfPaths } from './path-owners.js';
import { removeFiles, type RemovedFiles } from './remove-files.js';
import { removeStatePaths } from './state-paths.js';
import { findUsedByOthers } from './used-by-others.js';

/** What taking a container away came to. */
export interface FinishedUninstall extends RemovedFiles {
  /** State that stays because `purge` was not asked for. */
  readonly statePaths: readonly string[];
}

/**
 * Takes a container away, with the journal entry of it written: units stopped and disabled, files off the host, the link
 * and the deployments gone. Every step may find that it was done already, so that the same call finishes what was
 * interrupted.
 */
export async function finishUninstall(host: Host, entry: JournalEntry): Promise<FinishedUninstall> {
  const { paths } = host;
  const units = await host.openUnitManager();
  if (units.kind === 'dbus') await stopUnits(host, entry.units);
  if (entry.units.length > 0) await units.disable(entry.units);
  const removed = await removeFiles(paths, entry.files, {
    shared: new Set((await ownersOfPaths(host, entry.name)).keys()),
    saveChanged: entry.operation === 'uninstall',
  });
  if (bringsUnits(entry) && units.kind === 'dbus') {
    await units.reload();
    for (const unit of entry.units) await units.resetFailed(unit);
  }
  await removeLink(host, entry.name);
  const statePaths = await removeStatePaths(paths, entry.createdPaths, {
    purge: entry.purge,
    isUsedByOthers: await findUsedByOthers(host, entry.name),
  });
  removePath(paths.onDisk(join(paths.runDir, entry.name)));
  await removeDeployments(host, entry.name);
  await removeUnusedLaunchers(host);
  await removeSettings(paths, entry.name);
  await endJournal(paths, entry.name);
  return { ...removed, statePaths };
}

async function stopUnits(host: Host, names: readonly string[]): Promise<void> {
  const units = await host.openUnitManager();
  for (const state of await units.getStates(names)) {
    if (state.loadState === 'not-found' || state.activeState === 'inactive') continue;
    const outcome = await units.stop(state.unit, { signal: host.signal });
    if (outcome.result !== 'done') {
      host.onEvent({
        kind: 'warning',
        text: `stopping ${state.unit} ended with '${outcome.result}', going on`,
      });
    }
  }
}

/** Removes the NAME link; from then on the container is not installed. */
export async function removeLink(host: Host, name: string): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  try {
    await unlink(join(folder, name));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  await syncFolder(folder);
}

/**
 * Removes all deployments of a name. Each is renamed out of the way first, so that a half removed one is never found
 * under a name that says it is complete.
 */
async function removeDeployments(host: Host, name: string): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  for (const number of await listDeploymentNumbers(host.paths, name)) {
    const doomed = join(folder, `.trash-${name}.${number}`);
    removePath(doomed);
    await rename(join(folder, `${name}.${number}`), doomed);
  }
  await removeLeftovers(host, name);
}

/** Removes what interrupted commands of this name left half made or half removed. Call with the lock of the name held. */
export async function removeLeftovers(host: Host, name: string): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  for (const leftover of await listLeftovers(folder, name)) removePath(join(folder, leftover));
}

async function listLeftovers(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(folder);
  return entries.filter((entry) => {
    const rest = /^\.(?:trash|new)-(.*)\.\d{1,9}$/.exec(entry)?.[1];
    return rest === name;
  });
}
