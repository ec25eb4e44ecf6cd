import { closeSync, constants, readdirSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { chmodAt, openAt, rmdirAt, unlinkAt } from './at.js';
import type { At } from './libc.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Removes a file or a directory with all that is in it, links not followed. Works by descriptors, so that neither depth
 * nor mode of what an image brought can keep it. What is gone already is success.
 */
export function removeTreeAt(at: At): void {
  try {
    unlinkAt(at);
    return;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    if (!isErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  removeContent(at);
  try {
    rmdirAt(at);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Removes what is in a directory; the directory stays. */
export function removeContent(at: At): void {
  const fd = openForRemoval(at);
  if (fd === undefined) return;
  try {
    for (const name of readdirSync(`/proc/self/fd/${fd}`, 'latin1')) {
      removeTreeAt({ dirFd: fd, name });
    }
  } finally {
    closeSync(fd);
  }
}

function openForRemoval(at: At): number | undefined {
  try {
    // Without root, a directory of mode 0 can be neither read nor emptied. It is a directory: unlink just said so.
    if (process.geteuid?.() !== 0) chmodAt(at, 0o700);
    return openAt(at, DIRECTORY);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
