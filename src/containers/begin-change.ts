import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { makeFolders } from '../base/make-folders.js';
import { rmdir } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { acquireLock, type LockFile } from '../sys/lock-file.js';
import { listContainerNames } from './container-directory.js';
import type { Host } from './host.js';
import { beginJournal, listJournal, type JournalEntry } from './journal.js';
import { leaveSets, rejoinSets } from './leave-sets.js';
import { listOneRuns, oneRunMark } from './one-run-marks.js';
import { bringsOwnUnits, placeOwnUnit, removeOwnUnit } from './own-units.js';

/** Held while it is decided whether the units of berth are needed: the last uninstall may meet the first install. */
const LOCK = '.own-units.lock';

/**
 * Writes the journal entry of a change, and before it makes sure that a boot that finds the entry finishes or undoes the
 * change before any container starts: from here on a power cut is survived. When it returns, both are on the disk. Gives the entry as
 * it was written.
 */
export async function beginChange(host: Host, change: JournalEntry): Promise<JournalEntry> {
  const left = await leaveSets(host, change);
  const entry = left.length === 0 ? change : { ...change, left };
  try {
    await writeEntry(host, entry);
  } catch (error) {
    // A disk too full for the entry may have no room for theirs either: what went wrong first is told.
    await rejoinSets(host, left).catch(() => undefined);
    throw error;
  }
  return entry;
}

async function writeEntry(host: Host, entry: JournalEntry): Promise<void> {
  if (!bringsOwnUnits(host.paths)) return beginJournal(host.paths, entry);
  await withOwnUnitsLock(host, async () => {
    await placeOwnUnit(host, 'berth-recover.service');
    await beginJournal(host.paths, entry);
  });
}

/**
 * Marks a container that is about to be installed for one run, and gives the lock of the mark. A boot that finds the mark
 * takes the container away. When it returns, both are on the disk.
 */
export async function markOneRun(host: Host, name: string): Promise<LockFile> {
  if (!bringsOwnUnits(host.paths)) return writeMark(host, name);
  return withOwnUnitsLock(host, async () => {
    await placeOwnUnit(host, 'berth-recover.service');
    return writeMark(host, name);
  });
}

/** Who clears up may have found the mark before it was locked: then this waits for a moment, and makes it again. */
async function writeMark({ paths, signal }: Host, name: string): Promise<LockFile> {
  const folder = paths.onDisk(paths.journalDir);
  await makeFolders(folder, 0o700);
  const lock = await acquireLock(paths.onDisk(oneRunMark(paths, name)), {
    mode: 'exclusive',
    signal,
  });
  try {
    await syncFolder(folder);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
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
    const { paths } = host;
    const names = [
      ...(await listContainerNames(paths)),
      ...(await listJournal(paths)),
      ...(await listOneRuns(paths)),
    ];
    if (names.some((name) => !leaving.includes(name))) return false;
    const removed: boolean[] = [];
    for (const unit of [
      'berth-update.timer',
      'berth-update.service',
      'berth-recover.service',
    ] as const)
      removed.push(await removeOwnUnit(host, unit));
    if (paths.mode === 'user') await removeEmptyFolders([paths.unitDir, dirname(paths.unitDir)]);
    return removed.includes(true);
  });
}

/** What was made for the units of a user who has no others. */
async function removeEmptyFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
    }
  }
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
