import { listStaged } from './apply-staging.js';
import type { CompleteOptions } from './complete-transition.js';
import type { Host } from './host.js';
import { listJournal } from './journal.js';
import { lockAndRecover } from './name-lock.js';

/**
 * Finishes or undoes every interrupted change; gives the names concerned. Taking the lock of a name does the work. One
 * that cannot be recovered does not keep the others from it.
 *
 * @throws the first failure, when all were tried
 */
export async function recoverAll(
  host: Host,
  options: CompleteOptions = { atBoot: false },
): Promise<readonly string[]> {
  const names = [
    ...new Set([...(await listJournal(host.paths)), ...(await listStaged(host.paths))]),
  ].sort();
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      (await lockAndRecover(host, name, options))[Symbol.dispose]();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return names;
}
