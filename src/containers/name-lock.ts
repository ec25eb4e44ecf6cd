import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock, type LockFile } from '../sys/lock-file.js';
import { listStaged } from './apply-staging.js';
import type { CompleteOptions } from './complete-transition.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import { findJournal, listJournal } from './journal.js';
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
 * The lock of {@link withNameLock}, with what was left unfinished finished; dispose of it to let others in. `@SET` is the
 * lock of a set, which does not hold those of its members.
 */
export async function lockAndRecover(
  host: Host,
  name: string,
  options: CompleteOptions = { atBoot: false },
): Promise<Disposable> {
  const lock = await lockName(host, name);
  try {
    await recoverSetsWith(host, name, options);
    await recoverContainer(host, name, options);
    return lock;
  } catch (error) {
    lock.release();
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

async function lockName(host: Host, name: string): Promise<LockFile> {
  await makeFolders(host.paths.onDisk(host.paths.stateDir), 0o700);
  const folder = host.paths.onDisk(host.paths.lockDir);
  await makeFolders(folder, 0o700);
  const lock = tryLock(join(folder, `${name}.lock`), 'exclusive');
  if (lock !== undefined) return lock;
  throw new OperationalError('BUSY', `another berth is changing ${quote(name)} at present`, {
    hint: 'wait for it to end, then run the command again',
  });
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
