import { readSync, writeSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { bindLibc, checked } from './libc.js';

const nativeIoctl = bindLibc('int ioctl(int fd, unsigned long request, long argument)');
const nativeCopyFileRange = bindLibc(
  'long copy_file_range(int from, void *fromOffset, int to, void *toOffset, size_t length, uint32_t flags)',
);

/** `_IOW(0x94, 9, int)`, one number on all 64-bit Linuxes but alpha, mips, powerpc and sparc, where the call fails and a copy is made. */
const FICLONE = 0x40049409;
/** Copied in one call; so large that the calls do not count, so small that a signal is not kept waiting. */
const COPY_BYTES = 64 * 1024 * 1024;

/** Makes the empty file `to` share the blocks of `from`; false where the file system cannot. */
export function cloneContent(from: number, to: number): boolean {
  try {
    checked(nativeIoctl(to, FICLONE, from), 'ioctl');
    return true;
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'EXDEV', 'EINVAL', 'ENOSYS', 'EPERM')) {
      return false;
    }
    throw error;
  }
}

/** Copies the content of `from` into the empty file `to`, sharing blocks where the file system can. Gives the bytes that had to be written. */
export function copyContent(from: number, to: number): number {
  if (cloneContent(from, to)) return 0;
  let total = 0;
  for (;;) {
    let count: number;
    try {
      count = checked(nativeCopyFileRange(from, null, to, null, COPY_BYTES, 0), 'copy_file_range');
    } catch (error) {
      if (isErrno(error, 'EINTR')) continue;
      if (total > 0 || !isErrno(error, 'EXDEV', 'EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP')) {
        throw error;
      }
      return copyThroughMemory(from, to);
    }
    if (count === 0) return total;
    total += count;
  }
}

function copyThroughMemory(from: number, to: number): number {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let total = 0; ;) {
    const count = readSync(from, buffer, 0, buffer.length, null);
    if (count === 0) return total;
    writeFully(to, buffer.subarray(0, count));
    total += count;
  }
}

/** write(2) until everything is written: a signal or a nearly full disk makes it write less. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, null);
  }
}
