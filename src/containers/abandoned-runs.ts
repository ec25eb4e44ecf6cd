import { rm } from 'node:fs/promises';

import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryExistingLock } from '../sys/lock-file.js';
import { findContainer } from './container-directory.js';
import { completeTransition, type CompleteOptions } from './complete-transition.js';
import type { Host } from './host.js';
import { beginJournal } from './journal.js';
import { statesOf } from './list-containers.js';
import { lockName } from './lock-name.js';
import {
  listOneRuns,
  oneRunMark,
  planOfOneRun,
  removeOneRunMark,
  unitOfOneRun,
} from './one-run-marks.js';
import { recoverContainer } from './recover.js';
import { uninstallEntry } from './uninstall-entry.js';

/** What became of the containers of killed runs. */
export interface RemovedRuns {
  /** Names of those that are gone. */
  readonly removed: readonly string[];
  /** Those that are not, and why: no reason not to go on, the next command tries again. */
  readonly failures: readonly { readonly name: string; readonly error: unknown }[];
}

/**
 * Uninstalls the containers that were there for one run and whose berth was killed, with their state. What still runs, or
 * is being installed or taken away, is left alone.
 */
export async function removeAbandonedRuns(
  host: Host,
  options: CompleteOptions = { atBoot: false },
): Promise<RemovedRuns> {
  const removed: string[] = [];
  const failures: { name: string; error: unknown }[] = [];
  for (const name of await listOneRuns(host.paths)) {
    try {
      if (await removeIfAbandoned(host, name, options)) removed.push(name);
    } catch (error) {
      host.signal.throwIfAborted();
      if (error instanceof OperationalError && error.code === 'BUSY') continue;
      failures.push({ name, error });
    }
  }
  return { removed, failures };
}

/** The mark is locked before the name: whoever begins a run holds it already, and is not to find its name taken. */
async function removeIfAbandoned(
  host: Host,
  name: string,
  options: CompleteOptions,
): Promise<boolean> {
  const { paths } = host;
  using held = tryExistingLock(paths.onDisk(oneRunMark(paths, name)), 'exclusive');
  if (held === undefined || (await stillRuns(host, name, options))) return false;
  await using scope = new AsyncScope();
  scope.use(await lockName(host, name));
  await rm(paths.onDisk(planOfOneRun(paths, name)), { force: true });
  await recoverContainer(host, name, options);
  const deployment = await findContainer(host.paths, name);
  if (deployment !== undefined) {
    host.onEvent({
      kind: 'warning',
      text: `an earlier 'berth run' was interrupted, removing its container '${name}'`,
    });
    const entry = await uninstallEntry(host, deployment, { purge: true });
    await beginJournal(host.paths, entry);
    await completeTransition(host, entry, options);
  }
  await removeOneRunMark(paths, name);
  return true;
}

/** Whether the program of a run goes on: it outlives systemd-run where that was killed, too. After a boot nothing does. */
export async function stillRuns(
  host: Host,
  name: string,
  { atBoot }: CompleteOptions,
): Promise<boolean> {
  if (atBoot) return false;
  const unit = unitOfOneRun(name);
  const state = (await statesOf(host, [unit])).get(unit)?.activeState;
  return state !== undefined && !['inactive', 'failed'].includes(state);
}
