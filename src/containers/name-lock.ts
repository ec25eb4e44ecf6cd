import { escapeText } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { removeAbandonedRuns } from './abandoned-runs.js';
import { listStaged } from './apply-staging.js';
import type { CompleteOptions } from './complete-transition.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import { findJournal, listJournal } from './journal.js';
import { lockName } from './lock-name.js';
import { recoverContainer } from './recover.js';

/**
 * Runs `body` as the only one who changes the container of that name. What an earlier holder left unfinished is finished
 * or undone first. Two commands on different names never wait for each other; of two on the same, the second is told.
 *
 * @throws {@link OperationalError} BUSY if another holds the lock
 */
export async function withNameLock<T>(
  host: Host,
  name: string,
  body: () => Promise<T>,
): Promise<T> {
  const lock = await lockAndRecover(host, name);
  try {
    return await body();
  } finally {
    lock[Symbol.dispose]();
  }
}

/**
 * The lock of {@link withNameLock}, with what was left unfinished finished, and containers gone whose one run was killed:
 * nobody will ever work on their names again. Dispose of it to let others in. `@SET` is the lock of a set, which does not
 * hold those of its members.
 */
export async function lockAndRecover(
  host: Host,
  name: string,
  options: CompleteOptions = { atBoot: false },
): Promise<Disposable> {
  for (const { name: run, error } of (await removeAbandonedRuns(host, options)).failures) {
    const why = escapeText(error instanceof Error ? error.message : String(error));
    host.onEvent({
      kind: 'warning',
      text: `'${run}', left by a killed run, cannot be removed: ${why}`,
    });
  }
  const lock = await lockName(host, name);
  try {
    await recoverSetsWith(host, name, options);
    await recoverContainer(host, name, options);
    return lock;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/**
 * Finishes or undoes what was left unfinished of a container, or of a set that it is a member of. Where nothing was, no
 * lock is taken.
 *
 * @throws {@link OperationalError} BUSY if another is at work on it
 */
export async function finishInterrupted(host: Host, name: string): Promise<void> {
  const labels = [...(await listJournal(host.paths)), ...(await listStaged(host.paths))];
  const concerned = labels.some((label) => label === name || setNameOf(label) !== undefined);
  if (concerned) (await lockAndRecover(host, name))[Symbol.dispose]();
}

/**
 * The same for all containers but one, whose lock is held. What somebody is at work on is left alone, and what cannot be
 * finished is told and keeps nobody from going on.
 */
export async function finishOthers(host: Host, name: string): Promise<void> {
  for (const label of await listJournal(host.paths)) {
    if (label === name) continue;
    try {
      (await lockAndRecover(host, label))[Symbol.dispose]();
    } catch (error) {
      host.signal.throwIfAborted();
      if (error instanceof OperationalError && error.code === 'BUSY') continue;
      const text = error instanceof Error ? error.message : String(error);
      host.onEvent({ kind: 'warning', text: `'${label}' cannot be recovered: ${text}` });
    }
  }
}

/**
 * Finishes or undoes interrupted changes of sets that the name is, or is a member of: all members or none, so all of their
 * locks are taken for it. Whoever changes a set holds them, so an entry that is met with the lock of a member held has
 * lost its maker.
 */
async function recoverSetsWith(host: Host, name: string, options: CompleteOptions): Promise<void> {
  for (const label of await listJournal(host.paths)) {
    if (setNameOf(label) === undefined) continue;
    const members = await membersOf(host, label, name);
    if (label !== name && !members.includes(name)) continue;
    await using scope = new AsyncScope();
    for (const other of [label, ...members])
      if (other !== name) scope.use(await lockName(host, other));
    await recoverContainer(host, label, options);
  }
}

/** A damaged entry keeps its own set from being changed, and nobody else. */
async function membersOf(host: Host, label: string, name: string): Promise<readonly string[]> {
  try {
    const entry = await findJournal(host.paths, label);
    return (entry?.transitions ?? []).map((transition) => transition.name);
  } catch (error) {
    if (label === name) throw error;
    host.onEvent({ kind: 'warning', text: error instanceof Error ? error.message : String(error) });
    return [];
  }
}
