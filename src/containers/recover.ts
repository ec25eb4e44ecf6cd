import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { readNameLink } from './container-directory.js';
import { finishInstall } from './finish-install.js';
import { finishUninstall, removeLeftovers } from './finish-uninstall.js';
import type { Host } from './host.js';
import { findJournal, journalFile } from './journal.js';
import { removeTemporaries } from './remove-temporaries.js';

/**
 * Finishes or undoes what an earlier command on this name left when it was killed: an uninstall is finished; an install
 * whose NAME link is there is finished, else undone. Call with the lock of the name held. Does nothing, and quickly,
 * where nothing was left.
 */
export async function recoverContainer(host: Host, name: string): Promise<void> {
  const { paths } = host;
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
  if (entry.operation === 'install' && committed) await finishInstall(host, entry);
  else await finishUninstall(host, entry);
  await removeLeftovers(host, name);
  await rm(paths.onDisk(join(paths.stateDir, `.link-${name}`)), { force: true });
}
