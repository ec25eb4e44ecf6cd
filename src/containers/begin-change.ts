import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { acquireLock } from '../sys/lock-file.js';
import { listContainerNames } from './container-directory.js';
import type { Host } from './host.js';
import { beginJournal, listJournal, type JournalEntry } from './journal.js';
import { bringsOwnUnits, placeOwnUnit, removeOwnUnit } from './own-units.js';

/** Held while it is decided whether the units of berth are needed: the last uninstall may meet the first install. */
const LOCK = '.own-units.lock';

/**
 * Writes the journal entry of a change, and before it makes sure that a boot that finds the entry finishes or undoes the
 * change before any container starts: from here on a power cut is survived. When it returns, both are on the disk.
 */
export async function beginChange(host: Host, entry: JournalEntry): Promise<void> {
  if (!bringsOwnUnits(host.paths)) return beginJournal(host.paths, entry);
  await withOwnUnitsLock(host, async () => {
    await placeOwnUnit(host, 'berth-recover.service');
    await beginJournal(host.paths, entry);
  });
}

/**
 * Takes the units of berth away where no container is left to need them, but for those of the names, which are being
 * taken away; gives whether systemd has to read its files again.
 */
export async function removeUnneededUnits(
  host: Host,
  leaving: readonly string[],
): Promise<boolean> {
  if (!bringsOwnUnits(host.paths)) return false;
  return withOwnUnitsLock(host, async () => {
    const names = [...(await listContainerNames(host.paths)), ...(await listJournal(host.paths))];
    if (names.some((name) => !leaving.includes(name))) return false;
    const removed: boolean[] = [];
    for (const unit of [
      'berth-update.timer',
      'berth-update.service',
      'berth-recover.service',
    ] as const)
      removed.push(await removeOwnUnit(host, unit));
    return removed.includes(true);
  });
}

/**
 * Takes away what the first installation left of berth's units where it ended before it had even written down what it was
 * about to do. Does nothing where a container is installed.
 */
export async function clearOwnUnits(host: Host): Promise<void> {
  if (!existsSync(host.paths.onDisk(host.paths.lockDir))) return;
  if (!(await removeUnneededUnits(host, []))) return;
  const units = await host.openUnitManager();
  await units.reload();
}

async function withOwnUnitsLock<T>(host: Host, body: () => Promise<T>): Promise<T> {
  const { lockDir } = host.paths;
  await makeFolders(lockDir, 0o700);
  const lock = await acquireLock(join(lockDir, LOCK), { mode: 'exclusive', signal: host.signal });
  try {
    return await body();
  } finally {
    lock.release();
  }
}
