import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock } from '../sys/lock-file.js';
import type { CompleteOptions } from './complete-transition.js';
import type { Host } from './host.js';
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

/** The lock of {@link withNameLock}, with what was left unfinished finished; dispose of it to let others in. */
export async function lockAndRecover(
  host: Host,
  name: string,
  options: CompleteOptions = { atBoot: false },
): Promise<Disposable> {
  await mkdir(host.paths.onDisk(host.paths.stateDir), { recursive: true, mode: 0o700 });
  const folder = host.paths.onDisk(host.paths.lockDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = tryLock(join(folder, `${name}.lock`), 'exclusive');
  if (lock === undefined) {
    throw new OperationalError('BUSY', `another berth is changing ${quote(name)} at present`, {
      hint: 'wait for it to end, then run the command again',
    });
  }
  try {
    await recoverContainer(host, name, options);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}
