import type { Host } from './host.js';
import { listJournal } from './journal.js';
import { withNameLock } from './name-lock.js';

/** Finishes or undoes every interrupted change; gives the names concerned. Taking the lock of a name does the work. */
export async function recoverAll(host: Host): Promise<readonly string[]> {
  const names = await listJournal(host.paths);
  for (const name of names) await withNameLock(host, name, () => Promise.resolve());
  return names;
}
