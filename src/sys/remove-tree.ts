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
  removeDirectory(at);
}

/** Removes what is in a directory; the directory stays. */
export function removeContent(at: At): void {
  const fd = openForRemoval(at);
  if (fd === undefined) return;
  try {
    const entries = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1', withFileTypes: true });
    for (const entry of entries) {
      const child = { dirFd: fd, name: entry.name };
      if (entry.isDirectory()) removeDirectory(child);
      else removeTreeAt(child);
    }
  } finally {
    closeSync(fd);
  }
}

function removeDirectory(at: At): void {
  // The temporary folders of a layer are mostly empty at its end, 256 of them: one call in place of five.
  if (isRemoved(at)) return;
  removeContent(at);
  if (!isRemoved(at)) rmdirAt(at);
}

/** False where there is something in it. */
function isRemoved(at: At): boolean {
  try {
    rmdirAt(at);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
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
