import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../../base/make-folders.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { MOUNT_ATTR } from '../../runtime/mount-options.js';
import { attachMount } from '../../sys/attach-mount.js';
import { acquireLock, tryLock, type LockFile } from '../../sys/lock-file.js';
import { unmountAll } from '../../sys/unmount.js';
import type { Host } from '../host.js';
import { mountRoot } from '../mounts/mount-root.js';
import { withMountsLock } from '../mounts/mounted-roots.js';
import type { ScanTarget } from './scan-targets.js';

/*
 * /run/berth/.scan/ID.lock     held while the scan runs
 * /run/berth/.scan/ID/ROOT     what is scanned, mounted read-only; the scanner sees the folder ID as /scanin
 */

/** The folder in which what is scanned is mounted. Disposing of it takes the mounts away. */
export class ScanPlace implements AsyncDisposable {
  readonly path: string;
  readonly #host: Host;
  readonly #lock: LockFile;

  /** Not to be called: see {@link makeScanPlace}. */
  constructor(host: Host, path: string, lock: LockFile) {
    this.#host = host;
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Mounts what is to be scanned below the place, read-only and without set-user-ID programs and devices.
   *
   * @throws what {@link mountRoot} throws
   */
  async mount({ kind, what, directory }: ScanTarget): Promise<void> {
    const target = join(this.path, directory);
    mkdirSync(target, { mode: 0o700 });
    if (kind !== 'rootfs') {
      await mountRoot(this.#host, { what, directory: target, options: '' });
      return;
    }
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    const source = openSync(what, flags);
    try {
      const on = openSync(target, flags);
      try {
        const { rdonly, nosuid, nodev } = MOUNT_ATTR;
        attachMount(source, on, { set: rdonly | nosuid | nodev, clear: 0 });
      } finally {
        closeSync(on);
      }
    } finally {
      closeSync(source);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      removePlace(this.path);
      unlinkSync(`${this.path}.lock`);
      // The checkouts of images go with the mounts. Where another berth mounts just now, it removes them.
      await withMountsLock(this.#host, () => Promise.resolve()).catch((error: unknown) => {
        if (!(error instanceof OperationalError) || error.code !== 'BUSY') throw error;
      });
    } finally {
      this.#lock.release();
    }
  }
}

/** Makes a place for a scan, and takes away those of scans that were killed. */
export async function makeScanPlace(host: Host): Promise<ScanPlace> {
  removeDeadScans(host);
  const folder = folderOf(host);
  await makeFolders(folder, 0o700);
  const path = join(folder, randomBytes(8).toString('hex'));
  const lock = await acquireLock(`${path}.lock`, { mode: 'exclusive', signal: host.signal });
  try {
    mkdirSync(path, { mode: 0o700 });
    return new ScanPlace(host, path, lock);
  } catch (error) {
    unlinkSync(`${path}.lock`);
    lock.release();
    throw error;
  }
}

/** Takes away what scans that were killed left mounted. */
export function removeDeadScans(host: Host): void {
  const folder = folderOf(host);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.lock')) continue;
    using lock = tryLock(join(folder, name), 'exclusive');
    if (lock === undefined) continue;
    removePlace(join(folder, name.slice(0, -'.lock'.length)));
    unlinkSync(join(folder, name));
  }
}

function folderOf(host: Host): string {
  return join(host.paths.runDir, '.scan');
}

/** Folders alone: should a mount be left against all odds, nothing behind it is removed. */
function removePlace(path: string): void {
  try {
    for (const name of readdirSync(path)) {
      unmountAll(join(path, name));
      rmdirSync(join(path, name));
    }
    rmdirSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
