import { join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { isErrno } from '../errors/is-errno.js';
import { acquireLock, type LockFile } from '../sys/lock-file.js';
import type { Host } from './host.js';

/** Never unlinked. */
const LOCK = '.host-files.lock';

/**
 * Runs `body`, which puts files onto the host, or takes some away. Containers may have the same files, and folders, and whoever
 * takes one away has looked who else needs it: nobody puts anything there meanwhile. Any number may put theirs there side by side.
 *
 * @throws OperationalError CANCELLED
 */
export async function withHostFiles<T>(
  host: Host,
  purpose: 'place' | 'remove',
  body: () => Promise<T>,
): Promise<T> {
  const lock = await acquire(host, purpose === 'place' ? 'shared' : 'exclusive');
  try {
    return await body();
  } finally {
    lock?.release();
  }
}

/** Undefined where the disk is too full to make it: what frees room must not need some. */
async function acquire(
  { paths, signal }: Host,
  mode: 'shared' | 'exclusive',
): Promise<LockFile | undefined> {
  const folder = paths.onDisk(paths.lockDir);
  try {
    await makeFolders(folder, 0o700);
    return await acquireLock(join(folder, LOCK), { mode, signal });
  } catch (error) {
    if (isErrno(error, 'ENOSPC', 'EDQUOT')) return undefined;
    throw error;
  }
}
