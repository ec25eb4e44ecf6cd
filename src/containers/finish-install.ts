import { join } from 'node:path';

import type { Host } from './host.js';
import { bringsUnits, endJournal, type JournalEntry } from './journal.js';
import { placeFiles } from './place-files.js';

/**
 * Makes a committed deployment take effect on the host: files placed, what its tmpfiles lines ask for made, systemd told
 * once, units enabled. Every step may find that it was done already.
 */
export async function finishInstall(host: Host, entry: JournalEntry): Promise<void> {
  const { paths } = host;
  await placeFiles(paths, join(paths.stateDir, `${entry.name}.${entry.number}`), entry.files);
  const units = await host.openUnitManager();
  for (const file of entry.files) {
    if (file.role === 'tmpfiles') await units.createTmpfiles(file.path);
  }
  if (units.kind === 'dbus' && bringsUnits(entry)) await units.reload();
  if (entry.units.length > 0) await units.enable(entry.units);
  await endJournal(paths, entry.name);
}
