import { join } from 'node:path';

import {
  changeSettings,
  readSettings,
  removeSettings,
  type ContainerSettings,
} from './container-settings.js';
import { removeForerunner } from './adopt/remove-forerunner.js';
import { listDeploymentNumbers } from './container-directory.js';
import { orderDeployments } from './deployment-order.js';
import type { Host } from './host.js';
import type { JournalEntry } from './journal.js';
import { removeLeftSockets } from './left-sockets.js';
import { removeUnusedLaunchers } from './place-launcher.js';
import { rememberGeneration } from './remember-generation.js';
import { removeDeployments } from './remove-deployments.js';
import { removePath } from './remove-path.js';
import { removeStatePaths } from './state-paths.js';
import { removeTimerStamps } from './timer-stamps.js';
import type { Transition } from './transition.js';
import { findUsedByOthers } from './used-by-others.js';

/**
 * Removes what nobody needs any more once transitions have come to their end, and remembers what later commands ask for:
 * which deployment was the present one when, and which images are no good. Gives the folders of state that stay. May be
 * repeated.
 */
export async function settle(host: Host, entry: JournalEntry): Promise<readonly string[]> {
  const statePaths: string[] = [];
  for (const transition of entry.transitions) {
    await removeLeftSockets(host, transition);
    await removeStamps(host, { entry, transition });
    statePaths.push(...(await removeState(host, { entry, transition })));
    if (transition.to === undefined) await forget(host, { entry, transition });
    else await keepWhatCounts(host, { entry, transition });
  }
  await rememberGeneration(host, entry);
  // What is new takes a copy, and leaves none behind: others would be looked through for nothing.
  if (entry.operation !== 'install') await removeUnusedLaunchers(host);
  return statePaths;
}

/** Of timers that the container no longer has; where it goes as a whole, they are state. */
async function removeStamps(
  host: Host,
  { entry, transition }: { readonly entry: JournalEntry; readonly transition: Transition },
): Promise<void> {
  const { from, to } = transition;
  if (from === undefined || (to === undefined && !entry.purge)) return;
  const gone = from.units.filter((unit) => to?.units.includes(unit) !== true);
  await removeTimerStamps(host.paths, gone);
}

/** Folders that came with what goes: with the container, or with a version that is taken back. */
async function removeState(
  host: Host,
  { entry, transition }: { readonly entry: JournalEntry; readonly transition: Transition },
): Promise<readonly string[]> {
  const { name, from, to } = transition;
  const goes = to === undefined || (entry.operation === 'undo' && transition.builds);
  if (from === undefined || !goes) return [];
  const staying = new Set(to?.createdPaths);
  return removeStatePaths(
    host.paths,
    from.createdPaths.filter((path) => !staying.has(path)),
    { purge: entry.purge, isUsedByOthers: await findUsedByOthers(host, name) },
  );
}

async function forget(
  host: Host,
  { entry, transition }: { readonly entry: JournalEntry; readonly transition: Transition },
): Promise<void> {
  const { name } = transition;
  for (const folder of [host.paths.runDir, host.paths.runtimeStateDir])
    removePath(host.paths.onDisk(join(folder, name)));
  const numbers = await listDeploymentNumbers(host.paths, name);
  // An adoption that is taken back leaves the forerunner's container as it runs.
  if (entry.operation === 'uninstall') await removeForerunner(host, name, numbers);
  await removeDeployments(host, name, numbers);
  await removeSettings(host.paths, name);
}

async function keepWhatCounts(
  host: Host,
  { entry, transition }: { readonly entry: JournalEntry; readonly transition: Transition },
): Promise<void> {
  const { name, from, to, builds } = transition;
  if (to === undefined) return;
  const settings = await readSettings(host.paths, name);
  const onDisk = await listDeploymentNumbers(host.paths, name);
  if (entry.operation === 'undo') {
    await removeDeployments(
      host,
      name,
      onDisk.filter((number) => builds && number === from?.number),
    );
    await remember(host, { transition, settings, order: settings.order });
    return;
  }
  const before = await orderDeployments(host, name, settings);
  const order = [...before.filter((number) => number !== to.number), to.number];
  const kept = new Set([...order.slice(-Math.max(1, entry.keep)), ...settings.pinned]);
  // Room is made first: a disk that is too full to remember has to become less full.
  const dropped = onDisk.filter((number) => !kept.has(number));
  await removeForerunner(host, name, dropped);
  await removeDeployments(host, name, dropped);
  await remember(host, {
    transition,
    settings,
    order: order.filter((number) => kept.has(number)),
  });
}

async function remember(
  host: Host,
  what: {
    readonly transition: Transition;
    readonly settings: ContainerSettings;
    readonly order: readonly number[];
  },
): Promise<void> {
  const { name, from, to, rejected } = what.transition;
  const others = what.settings.rejected.filter(
    ({ digest }) => digest !== to?.digest && (rejected === undefined || digest !== from?.digest),
  );
  const isRejected =
    rejected !== undefined && from?.digest !== undefined && from.digest !== to?.digest;
  const changed = {
    // With one deployment there is no order to remember.
    order: what.order.length > 1 ? what.order : [],
    rejected: isRejected
      ? [
          ...others,
          {
            digest: from.digest,
            reason: rejected,
            at: new Date(host.nowMs()).toISOString(),
          },
        ]
      : others,
  };
  const before = { order: what.settings.order, rejected: what.settings.rejected };
  if (JSON.stringify(changed) !== JSON.stringify(before))
    await changeSettings(host.paths, name, changed);
}
