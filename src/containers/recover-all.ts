import { ownProgram } from '../base/own-files.js';
import { addContext } from '../errors/with-context.js';
import { removeAbandonedRuns } from './abandoned-runs.js';
import { listStaged } from './apply-staging.js';
import { activatorsFirst } from './activators.js';
import { clearOwnUnits } from './begin-change.js';
import { runAfterBoot, startIfWanted, type EarlyManager } from '../systemd/early-unit-manager.js';
import { findContainer } from './container-directory.js';
import type { CompleteOptions } from './complete-transition.js';
import type { Host } from './host.js';
import { listJournal } from './journal.js';
import { lockAndRecover } from './name-lock.js';
import { movedPlaces } from './own-units.js';

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
  const runs = await removeAbandonedRuns(host, options);
  const failures = runs.failures.map(({ name, error }) =>
    addContext(`cannot remove '${name}', which a killed run left`, error),
  );
  for (const name of names) {
    try {
      (await lockAndRecover(host, name, options))[Symbol.dispose]();
    } catch (error) {
      host.signal.throwIfAborted();
      failures.push(addContext(`cannot recover '${name}'`, error));
    }
  }
  if (failures.length > 0) throw failures[0];
  await clearOwnUnits(host);
  return [...new Set([...names, ...runs.removed])].sort();
}

/**
 * At boot: starts the containers whose interrupted installation was finished, if their time has come. The boot made its
 * list of what to start when their units were not there yet. What has to be watched is left to a command after the boot.
 */
export async function startRecovered(host: Host, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  if ((await listJournal(host.paths)).length > 0) await watchAfterBoot(host);
  // Links that were made since systemd last read its files are not known to it.
  const units = await host.openUnitManager();
  await units.reload();
  for (const name of names) {
    const deployment = await findContainer(host.paths, name);
    // A socket is not started any more once its service runs.
    for (const unit of activatorsFirst(deployment?.units ?? [])) await startOrTell(host, unit);
  }
}

/** One that cannot be started is no reason to leave the others down. */
async function startOrTell(host: Host, unit: string): Promise<void> {
  try {
    await startIfWanted(earlyManagerOf(host), unit);
  } catch (error) {
    host.signal.throwIfAborted();
    const text = error instanceof Error ? error.message : String(error);
    host.onEvent({ kind: 'warning', text: `cannot start ${unit}: ${text}` });
  }
}

/** What is to be watched is started by the boot, and looked at when that is done: a bad version goes back then. */
async function watchAfterBoot(host: Host): Promise<void> {
  const program = ownProgram();
  const user = host.paths.mode === 'user' ? ['--user'] : [];
  const command = [process.execPath, program, ...user, 'recover'];
  const environment = movedPlaces(host.paths);
  await runAfterBoot(earlyManagerOf(host), 'berth-watch', { command, environment });
}

function earlyManagerOf({ paths }: Host): EarlyManager {
  return { mode: paths.mode, environment: paths.userEnvironment };
}
