import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { escapeText } from '../base/escape-text.js';
import { finishApply } from './apply-staging.js';
import { readNameLink } from './container-directory.js';
import { finishInstall } from './finish-install.js';
import { finishUninstall, removeLeftovers } from './finish-uninstall.js';
import type { Host } from './host.js';
import { findJournal, journalFile, type JournalEntry } from './journal.js';
import { removeTemporaries } from './remove-temporaries.js';

/**
 * Finishes or undoes what an earlier command on this name left when it was killed: an uninstall is finished; an install
 * whose NAME link is there is finished if that is possible, else undone. Call with the lock of the name held. Does nothing, and quickly,
 * where nothing was left.
 */
export async function recoverContainer(host: Host, name: string): Promise<void> {
  const { paths } = host;
  await finishApply(host, name);
  const entry = await findJournal(paths, name);
  await removeTemporaries([
    paths.onDisk(journalFile(paths, name)),
    ...(entry?.files ?? []).map((file) => paths.onDisk(file.path)),
  ]);
  if (entry === undefined) {
    await removeLeftovers(host, name);
    return;
  }
  host.onEvent({
    kind: 'warning',
    text: `an earlier ${entry.operation} of '${name}' was interrupted, finishing it`,
  });
  const committed = (await readNameLink(paths, name)) === `${name}.${entry.number}`;
  if (entry.operation === 'install' && committed) await finishOrTakeBack(host, entry);
  else await finishUninstall(host, entry);
  await removeLeftovers(host, name);
  await rm(paths.onDisk(join(paths.stateDir, `.link-${name}`)), { force: true });
}

/**
 * Whatever kept the install from being finished (a file that was put in its way meanwhile) would keep every later command
 * on this name from running, uninstall included.
 */
async function finishOrTakeBack(host: Host, entry: JournalEntry): Promise<void> {
  try {
    await finishInstall(host, entry);
  } catch (error) {
    if (host.signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    host.onEvent({
      kind: 'warning',
      text: `it cannot be finished, taking it back: ${escapeText(why)}`,
    });
    await finishUninstall(host, entry);
  }
}
