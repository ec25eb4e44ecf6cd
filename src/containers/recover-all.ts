import { listStaged } from './apply-staging.js';
import type { Host } from './host.js';
import { listJournal } from './journal.js';
import { withNameLock } from './name-lock.js';

/** Finishes or undoes every interrupted change; gives the names concerned. Taking the lock of a name does the work. */
export async function recoverAll(host: Host): Promise<readonly string[]> {
  const names = [
    ...new Set([...(await listJournal(host.paths)), ...(await listStaged(host.paths))]),
  ].sort();
  for (const name of names) await withNameLock(host, name, () => Promise.resolve());
  return names;
}
