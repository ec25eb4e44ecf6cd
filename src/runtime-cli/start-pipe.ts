import { closeSync, constants, openSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { mknodAt } from '../sys/at.js';
import { AT_FDCWD } from '../sys/libc.js';

/*
 * The pipe with a name at which the process of a created container waits for a byte. It reads it until its program begins,
 * so whether somebody reads is what tells a created container from a running one: the file alone may be left of a
 * `start` that was killed.
 */

/** Makes the pipe. */
export function makeStartPipe(path: string): void {
  const mode = constants.S_IFIFO | 0o600;
  mknodAt({ dirFd: AT_FDCWD, name: path }, { mode, major: 0, minor: 0 });
}

/** Opens the pipe for writing; undefined where nobody reads it, or there is none. The caller closes it. */
export function openStartPipe(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENXIO', 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Whether a process waits at the pipe. */
export function isAwaited(path: string): boolean {
  const pipe = openStartPipe(path);
  if (pipe !== undefined) closeSync(pipe);
  return pipe !== undefined;
}
