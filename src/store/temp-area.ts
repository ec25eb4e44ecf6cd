import { randomBytes } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, readdirSync, unlinkSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { AT_FDCWD } from '../sys/libc.js';
import { acquireLock, tryLock, type LockFile } from '../sys/lock-file.js';
import { removeTreeAt } from '../sys/remove-tree.js';

/**
 * A folder `tmp/ID` for what one transaction writes, and `tmp/ID.lock` that it holds as long as it lives. What is left of
 * a process that was killed has a lock that nobody holds: the next writer knows it by that, and not by its age or by the
 * number of a process.
 */
export class TempArea implements Disposable {
  /** Of the folder. */
  readonly path: string;
  /** Of the folder, open. */
  readonly fd: number;
  readonly #lockPath: string;
  readonly #lock: LockFile;
  #open = true;

  constructor(tmp: string) {
    // Who clears up may have come upon the lock file before it was locked, and holds it to remove it.
    let lock: LockFile | undefined;
    let path = '';
    while (lock === undefined) {
      path = `${tmp}/${randomBytes(8).toString('hex')}`;
      lock = tryLock(`${path}.lock`, 'exclusive');
    }
    this.path = path;
    this.#lockPath = `${path}.lock`;
    this.#lock = lock;
    try {
      mkdirSync(this.path, { mode: 0o700 });
      this.fd = openSync(this.path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  /** Removes the folder with all that is in it. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
    this.#remove();
  }

  #remove(): void {
    removeArea(this.path, this.#lockPath);
    this.#lock.release();
  }
}

/**
 * Waits until no other process takes in the same layer; from then on, until the result is disposed of, none other does. The
 * lock file is in `tmp`, so that the one of a killed process goes as everything else of it does.
 */
export async function takeTurn(
  tmp: string,
  layerName: string,
  signal: AbortSignal | undefined,
): Promise<Disposable> {
  const path = `${tmp}/${layerName}.lock`;
  const lock = await acquireLock(path, { mode: 'exclusive', signal });
  return {
    [Symbol.dispose]: () => {
      removeArea(`${tmp}/${layerName}`, path);
      lock.release();
    },
  };
}

/** Removes what killed processes left in `tmp`. */
export function removeLeftovers(tmp: string): void {
  const names = readdirSync(tmp);
  for (const name of names) {
    const lockName = name.endsWith('.lock') ? name : `${name}.lock`;
    // A folder comes after its lock and goes before it: without one, nobody can be at work in it.
    if (name !== lockName && names.includes(lockName)) continue;
    using lock = tryLock(`${tmp}/${lockName}`, 'exclusive');
    if (lock !== undefined) removeArea(`${tmp}/${lockName.slice(0, -5)}`, `${tmp}/${lockName}`);
  }
}

/** The lock file is unlinked last and under the lock; whoever opened it before looks whether it is still the one. */
function removeArea(path: string, lockPath: string): void {
  removeTreeAt({ dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') });
  try {
    unlinkSync(lockPath);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
