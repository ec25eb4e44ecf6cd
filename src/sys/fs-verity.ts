import { closeSync, constants, fstatSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { openAt, setTimeOf, type TimeStamp } from './at.js';
import { bindLibc, checked, type At } from './libc.js';

const nativeIoctl = bindLibc('int ioctl(int fd, unsigned long request, void *argument)');

/**
 * `_IOW('f', 133, struct fsverity_enable_arg)`, `_IOWR('f', 134, struct fsverity_digest)` and `_IOR('f', 1, long)` of linux/fsverity.h and
 * linux/fs.h, one number each on all 64-bit Linuxes but alpha, mips, powerpc and sparc, where the calls fail.
 */
const FS_IOC_ENABLE_VERITY = 0x40806685;
const FS_IOC_MEASURE_VERITY = 0xc0046686;
const FS_IOC_GETFLAGS = 0x80086601;
const FS_VERITY_FL = 0x00100000;

/** `struct fsverity_enable_arg`: version 1, SHA-256, blocks of 4096 bytes, neither salt nor signature, as libostree and composefs have it. */
const ENABLE = (() => {
  const argument = new Uint32Array(32);
  argument.set([1, 1, 4096]);
  return new Uint8Array(argument.buffer);
})();

const SHA256 = 1;
const DIGEST_BYTES = 32;

const BILLION = 1_000_000_000n;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * Seals a file, which nobody may have open for writing: its content cannot be changed any more by anybody, and what the disk gives
 * instead of it is an error to read. Its time of modification stays. False where the kernel or the file system cannot.
 */
export function sealFile(at: At): boolean {
  const fd = openAt(at, FILE);
  try {
    const { mtimeNs } = fstatSync(fd, { bigint: true });
    checked(nativeIoctl(fd, FS_IOC_ENABLE_VERITY, ENABLE), 'ioctl', at.name);
    // The hashes are written behind the content: ext4 takes that for a change of the file.
    setTimeOf(fd, timeOf(mtimeNs));
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return true; // it is sealed
    if (isErrno(error, 'EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'ENOSYS', 'EINVAL')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/**
 * The digest that the kernel measures of a sealed file, SHA-256; undefined where the file is not sealed, or in another way. Whatever is read
 * of the file, the kernel has compared with it.
 */
export function measureSeal(at: At): Buffer | undefined {
  const measured = new Uint16Array(2 + DIGEST_BYTES / 2);
  measured[1] = DIGEST_BYTES;
  const fd = openAt(at, FILE);
  try {
    const bytes = new Uint8Array(measured.buffer);
    checked(nativeIoctl(fd, FS_IOC_MEASURE_VERITY, bytes), 'ioctl', at.name);
  } catch (error) {
    if (isErrno(error, 'ENODATA', 'EOVERFLOW', 'EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'ENOSYS'))
      return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
  return measured[0] === SHA256 ? Buffer.from(measured.buffer, 4) : undefined;
}

function timeOf(total: bigint): TimeStamp {
  const nanoseconds = ((total % BILLION) + BILLION) % BILLION;
  return { seconds: Number((total - nanoseconds) / BILLION), nanoseconds: Number(nanoseconds) };
}

/** Whether a file is sealed. */
export function isSealed(at: At): boolean {
  const fd = openAt(at, FILE);
  const flags = new Uint32Array(2);
  try {
    checked(nativeIoctl(fd, FS_IOC_GETFLAGS, new Uint8Array(flags.buffer)), 'ioctl', at.name);
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'ENOSYS', 'EINVAL')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
  return ((flags[0] ?? 0) & FS_VERITY_FL) !== 0;
}
