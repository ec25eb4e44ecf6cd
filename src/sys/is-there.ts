import { bindLibc, cString, lastError, AT_SYMLINK_NOFOLLOW, type At } from './libc.js';

const nativeFaccessat = bindLibc('int faccessat(int dirfd, const void *path, int mode, int flags)');

/** Whether something has this name; a symbolic link counts whatever it leads to. */
export function isThere(at: At): boolean {
  if (nativeFaccessat(at.dirFd, cString(at.name), 0, AT_SYMLINK_NOFOLLOW) === 0) return true;
  const error = lastError('faccessat', at.name);
  if (error.code === 'ENOENT') return false;
  throw error;
}
