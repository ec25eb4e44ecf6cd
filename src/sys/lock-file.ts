import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { bindLibc, checked } from './libc.js';

const nativeFlock = bindLibc('int flock(int fd, int operation)');

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock(2) cannot be waited for with a signal: the call blocks a thread that nothing but the holder can free. So it is
 * asked again; 20 ms at first, 200 ms at last, which nobody notices beside what a lock here is held for.
 */
const FIRST_WAIT_MS = 20;
const LAST_WAIT_MS = 200;

/** Where a lock does not reach the other hosts that see the same files, or reaches nobody (statfs(2) `f_type`). */
const FILE_SYSTEMS_WITHOUT_LOCKS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
]);

/** Options of {@link acquireLock}. */
export interface LockOptions {
  /** Many may hold it shared, or one exclusively. */
  readonly mode: 'shared' | 'exclusive';
  readonly signal?: AbortSignal | undefined;
}

/** A held lock. Disposing of it, or the end of the process however it comes, lets it go. */
export class LockFile implements Disposable {
  #fd: number | undefined;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /**
   * The descriptor that holds the lock, for a child process to inherit: it is held until both have let go.
   * Stays owned by this object.
   */
  get fd(): number {
    if (this.#fd === undefined) throw new Error('internal error: this lock was let go');
    return this.#fd;
  }

  /**
   * Unlinks the file of a lock that is held exclusively; it is held until {@link LockFile.release} all the same. Who had the file
   * open finds, once he has the lock, that another is at the path or none, and takes that: nobody is split off.
   */
  remove(): void {
    if (this.#fd === undefined) throw new Error('internal error: this lock was let go');
    try {
      unlinkSync(this.#path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EROFS')) throw error;
    }
  }

  /** Lets the lock go; a second time does nothing. The file stays, unless it was removed before. */
  release(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * Takes the lock file at `path`, which is made if missing, and waits for it as long as it takes. Only its holder may unlink it.
 * The descriptor is close-on-exec: no child process keeps the lock.
 *
 * @throws {@link OperationalError} CANCELLED if the signal comes first; STORE_UNSUITABLE if the file system has no such locks
 */
export async function acquireLock(path: string, options: LockOptions): Promise<LockFile> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LAST_WAIT_MS)) {
    throwIfCancelled(path, options.signal);
    const lock = tryLock(path, options.mode);
    if (lock !== undefined) return lock;
    await wait(waitMs, undefined, { signal: options.signal }).catch(() => undefined); // asked at the top
  }
}

/**
 * Takes the lock file at `path` if nobody holds it against us, else gives undefined at once.
 *
 * @throws {@link OperationalError} STORE_UNSUITABLE if the file system has no such locks
 */
export function tryLock(path: string, mode: LockOptions['mode']): LockFile | undefined {
  return tryToLock(path, mode, constants.O_CREAT);
}

/**
 * The same of a lock file that says something by being there: it is not made. Undefined also where there is none.
 *
 * @throws {@link OperationalError} STORE_UNSUITABLE if the file system has no such locks
 */
export function tryExistingLock(path: string, mode: LockOptions['mode']): LockFile | undefined {
  try {
    return tryToLock(path, mode, 0);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function tryToLock(path: string, mode: LockOptions['mode'], make: number): LockFile | undefined {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | make | constants.O_NOFOLLOW, 0o600);
    try {
      refuseForeignFileSystem(fd, path);
      if (!flock(fd, path, mode)) {
        closeSync(fd);
        return undefined;
      }
      // Somebody may have replaced the file between open and flock: then we hold a lock that no newcomer sees.
      if (isStillAt(fd, path)) {
        checkExclusion(fd, path);
        return new LockFile(fd, path);
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

function flock(fd: number, path: string, mode: LockOptions['mode']): boolean {
  for (;;) {
    try {
      checked(nativeFlock(fd, (mode === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB), 'flock', path);
      return true;
    } catch (error) {
      if (isErrno(error, 'EWOULDBLOCK', 'EAGAIN')) return false;
      if (isErrno(error, 'EINTR')) continue;
      if (isErrno(error, 'ENOLCK', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL')) {
        throw withoutLocks(path, 'its file system has none', error);
      }
      throw error;
    }
  }
}

function isStillAt(fd: number, path: string): boolean {
  const held = fstatSync(fd);
  const named = statSync(path, { throwIfNoEntry: false });
  return named?.ino === held.ino && named.dev === held.dev;
}

const trustedDevices = new Set<number>();

/**
 * A file system that grants everything to everybody is found out by asking a second time, once for each device. By the descriptor:
 * another file may be at the path by now, whose lock is free.
 */
function checkExclusion(fd: number, path: string): void {
  const { dev } = fstatSync(fd);
  if (trustedDevices.has(dev)) return;
  const second = openSync(`/proc/self/fd/${fd}`, constants.O_RDWR);
  try {
    if (flock(second, path, 'exclusive')) {
      throw withoutLocks(path, 'its file system grants them to everybody');
    }
    trustedDevices.add(dev);
  } finally {
    closeSync(second);
  }
}

/** By the descriptor: who clears up may have unlinked the file since it was opened. */
function refuseForeignFileSystem(fd: number, path: string): void {
  const name = FILE_SYSTEMS_WITHOUT_LOCKS.get(statfsSync(`/proc/self/fd/${fd}`).type >>> 0);
  if (name !== undefined) throw withoutLocks(path, `it is on ${name}, which other hosts write to`);
}

function withoutLocks(path: string, why: string, cause?: unknown): OperationalError {
  return new OperationalError('STORE_UNSUITABLE', `cannot lock ${quote(path)}: ${why}`, {
    hint: 'use a local file system: BERTH_STATE_DIR and BERTH_RUN_DIR choose the place',
    cause,
  });
}

function throwIfCancelled(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new OperationalError('CANCELLED', `stopped waiting for the lock ${quote(path)}`);
  }
}
