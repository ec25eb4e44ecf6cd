import { constants } from 'node:os';

import {
  AT_SYMLINK_NOFOLLOW,
  bindLibc,
  scratchName,
  loadKoffi,
  systemError,
  type At,
} from './libc.js';

const nativeFaccessat = bindLibc('int faccessat(int dirfd, const void *path, int mode, int flags)');

/** Whether something has this name; a symbolic link counts whatever it leads to. */
export function isThere(at: At): boolean {
  if (nativeFaccessat(at.dirFd, scratchName(at.name), 0, AT_SYMLINK_NOFOLLOW) === 0) return true;
  // Asked for every file of a layer: "no" must not cost an Error with its stack.
  const errno = loadKoffi().errno();
  if (errno === constants.errno.ENOENT) return false;
  throw systemError(errno, 'faccessat', at.name);
}
