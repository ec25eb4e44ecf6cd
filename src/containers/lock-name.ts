import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { quote } from '../base/escape-text.js';
import { makeFolders } from '../base/make-folders.js';
import { OperationalError } from '../errors/operational-error.js';
import { tryLock, type LockFile } from '../sys/lock-file.js';
import { setNameOf } from './container-sets.js';
import type { Host } from './host.js';
import { journalFile } from './journal.js';

/** The held lock of a name. Letting it go takes the file away where nothing has that name: a mistyped one leaves nothing. */
export class NameLock implements Disposable {
  readonly #host: Host;
  readonly #name: string;
  readonly #lock: LockFile;

  /** Not to be called: see {@link lockName}. */
  constructor(host: Host, name: string, lock: LockFile) {
    this.#host = host;
    this.#name = name;
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    if (this.#isOfNothing()) this.#lock.remove();
    this.#lock.release();
  }

  #isOfNothing(): boolean {
    const { paths } = this.#host;
    if (setNameOf(this.#name) !== undefined) return false;
    return [join(paths.stateDir, this.#name), journalFile(paths, this.#name)].every(
      (path) => lstatSync(paths.onDisk(path), { throwIfNoEntry: false }) === undefined,
    );
  }
}

/** Whether somebody changes what has a name at present. Makes no lock file. */
export function isNameHeld({ paths }: Host, name: string): boolean {
  const path = lockFileOf(paths, name);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
  using lock = tryLock(path, 'shared');
  return lock === undefined;
}

function lockFileOf(paths: Host['paths'], name: string): string {
  return join(paths.onDisk(paths.lockDir), `${name}.lock`);
}

/** Who only looks whether a name is held ({@link isNameHeld}) holds it for less than a millisecond. */
const MAX_ATTEMPTS = 5;
const BETWEEN_ATTEMPTS_MS = 5;

/**
 * Takes the lock of a name (of a container, or the label of a set) as the only one, without looking at what an earlier
 * holder left: see {@link lockAndRecover} for that.
 *
 * @throws {@link OperationalError} BUSY if another holds it
 */
export async function lockName(host: Host, name: string): Promise<NameLock> {
  await makeFolders(host.paths.onDisk(host.paths.stateDir), 0o700);
  await makeFolders(host.paths.onDisk(host.paths.lockDir), 0o700);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    if (attempt > 1) await wait(BETWEEN_ATTEMPTS_MS);
    const lock = tryLock(lockFileOf(host.paths, name), 'exclusive');
    if (lock !== undefined) return new NameLock(host, name, lock);
  }
  throw new OperationalError('BUSY', `another berth is changing ${quote(name)} at present`, {
    hint: 'wait for it to end, then run the command again',
  });
}
