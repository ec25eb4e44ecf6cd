import { closeSync, constants, readdirSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { chmodAt, openAt, rmdirAt, unlinkAt } from './at.js';
import type { At } from './libc.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * How often something else may stand there than a look just said, or something new in a folder that was emptied: who does that
 * more often does it on purpose.
 */
const MAX_CHANGES = 100;

/**
 * Removes a file or a directory with all that is in it, links not followed. Works by descriptors, so that neither depth
 * nor mode of what an image brought can keep it. What is gone already is success, and what somebody puts in its place meanwhile
 * goes, too.
 *
 * @throws {@link OperationalError} BUSY where somebody does that again and again
 */
export function removeTreeAt(at: At): void {
  for (let changes = 0; changes < MAX_CHANGES; changes += 1)
    if (isFileRemoved(at) || isDirectoryRemoved(at)) return;
  throw new OperationalError(
    'BUSY',
    `cannot remove ${quote(at.name)}: somebody puts something else in its place again and again`,
    { hint: 'look who works in its folder (fuser -v, lsof), then run the command again' },
  );
}

/** False where it is a directory. */
function isFileRemoved(at: At): boolean {
  try {
    unlinkAt(at);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EISDIR')) return false;
    throw error;
  }
}

/** Removes what is in a directory; the directory stays. */
export function removeContent(at: At): void {
  const fd = openForRemoval(at);
  if (fd === undefined) return;
  try {
    const entries = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1', withFileTypes: true });
    for (const entry of entries) {
      const child = { dirFd: fd, name: entry.name };
      if (!entry.isDirectory() || !isDirectoryRemoved(child)) removeTreeAt(child);
    }
  } finally {
    closeSync(fd);
  }
}

/** False where it is no directory any more, or something is in it again. */
function isDirectoryRemoved(at: At): boolean {
  try {
    // The temporary folders of a layer are mostly empty at its end, 256 of them: one call in place of five.
    if (isRemoved(at)) return true;
    removeContent(at);
    return isRemoved(at);
  } catch (error) {
    if (isErrno(error, 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
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
