import { closeSync, readFileSync, writeSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { bindLibc, checked, cString } from './libc.js';

const nativeMemfd = bindLibc('int memfd_create(const char *name, unsigned int flags)');
const nativeFcntl = bindLibc('int fcntl(int fd, int command, long argument)');

/** memfd_create(2). */
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since 6.3, where a host may ask for the word whether it is to be run. */
const MFD_EXEC = 0x10;
/** fcntl(2): nobody makes it longer, shorter or other, nor takes the seals away. */
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf;

/** A copy of a program in memory that nobody can change, not even its owner. The caller closes it. */
export function sealedCopy(path: string): number {
  const content = readFileSync(path);
  const fd = create(path);
  try {
    for (let at = 0; at < content.length;) at += writeSync(fd, content, at);
    checked(nativeFcntl(fd, F_ADD_SEALS, ALL_SEALS), 'fcntl');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function create(path: string): number {
  const name = cString(path.slice(path.lastIndexOf('/') + 1));
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return checked(nativeMemfd(name, flags | MFD_EXEC), 'memfd_create');
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
    return checked(nativeMemfd(name, flags), 'memfd_create');
  }
}
