import { AT_SYMLINK_NOFOLLOW, bindLibc, checked, scratchName, type At } from './libc.js';

/** A time stamp as the kernel keeps it. */
export interface TimeStamp {
  /** Whole seconds since the epoch; may be negative. */
  readonly seconds: number;
  /** 0–999,999,999. */
  readonly nanoseconds: number;
}

const nativeOpenat = bindLibc('int openat(int dirfd, const void *path, int flags, uint32_t mode)');
const nativeMkdirat = bindLibc('int mkdirat(int dirfd, const void *path, uint32_t mode)');
const nativeMknodat = bindLibc(
  'int mknodat(int dirfd, const void *path, uint32_t mode, uint64_t dev)',
);
const nativeSymlinkat = bindLibc('int symlinkat(const void *target, int dirfd, const void *path)');
const nativeLinkat = bindLibc(
  'int linkat(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, int flags)',
);
const nativeUnlinkat = bindLibc('int unlinkat(int dirfd, const void *path, int flags)');
const nativeFchownat = bindLibc(
  'int fchownat(int dirfd, const void *path, uint32_t uid, uint32_t gid, int flags)',
);
const nativeFchmodat = bindLibc(
  'int fchmodat(int dirfd, const void *path, uint32_t mode, int flags)',
);
const nativeUtimensat = bindLibc(
  'int utimensat(int dirfd, const void *path, const void *times, int flags)',
);
const nativeFutimens = bindLibc('int futimens(int fd, const void *times)');

const AT_REMOVEDIR = 0x200;
const UTIME_OMIT = 0x3ffffffen;

/** openat(2). `O_CLOEXEC` is always added. The caller closes the descriptor. */
export function openAt(at: At, flags: number, mode = 0): number {
  return checked(
    nativeOpenat(at.dirFd, scratchName(at.name), flags | 0o2000000, mode),
    'openat',
    at.name,
  );
}

/** mkdirat(2); the umask applies. */
export function mkdirAt(at: At, mode: number): void {
  checked(nativeMkdirat(at.dirFd, scratchName(at.name), mode), 'mkdirat', at.name);
}

/** What {@link mknodAt} makes. */
export interface NodeNumbers {
  /** Type and permission bits; the umask applies. */
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
}

/** mknodat(2). */
export function mknodAt(at: At, node: NodeNumbers): void {
  const dev = deviceNumber(node.major, node.minor);
  checked(nativeMknodat(at.dirFd, scratchName(at.name), node.mode, dev), 'mknodat', at.name);
}

/** glibc's gnu_dev_makedev(3): the two halves interleaved as the kernel's ABI has them. */
export function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (
    (low & 0xffn) |
    ((high & 0xfffn) << 8n) |
    ((low & ~0xffn & 0xffffffffn) << 12n) |
    ((high & ~0xfffn & 0xffffffffn) << 32n)
  );
}

/** symlinkat(2). `target` is a byte string. */
export function symlinkAt(target: string, at: At): void {
  checked(
    nativeSymlinkat(scratchName(target, 1), at.dirFd, scratchName(at.name)),
    'symlinkat',
    at.name,
  );
}

/** linkat(2), a symbolic link as `from` being linked itself. */
export function linkAt(from: At, to: At): void {
  checked(
    nativeLinkat(from.dirFd, scratchName(from.name, 1), to.dirFd, scratchName(to.name), 0),
    'linkat',
    to.name,
  );
}

/** unlinkat(2) of anything but a directory. */
export function unlinkAt(at: At): void {
  checked(nativeUnlinkat(at.dirFd, scratchName(at.name), 0), 'unlinkat', at.name);
}

/** unlinkat(2) of an empty directory. */
export function rmdirAt(at: At): void {
  checked(nativeUnlinkat(at.dirFd, scratchName(at.name), AT_REMOVEDIR), 'unlinkat', at.name);
}

/** fchownat(2) of the thing itself, links not followed. */
export function chownAt(at: At, uid: number, gid: number): void {
  checked(
    nativeFchownat(at.dirFd, scratchName(at.name), uid, gid, AT_SYMLINK_NOFOLLOW),
    'fchownat',
    at.name,
  );
}

/** fchmodat(2). Follows a symbolic link, so call it only on what cannot be one. */
export function chmodAt(at: At, mode: number): void {
  checked(nativeFchmodat(at.dirFd, scratchName(at.name), mode, 0), 'fchmodat', at.name);
}

/** Sets the modification time of the thing itself, links not followed; the access time stays. */
export function setTimeAt(at: At, mtime: TimeStamp): void {
  checked(
    nativeUtimensat(at.dirFd, scratchName(at.name), timesOf(mtime), AT_SYMLINK_NOFOLLOW),
    'utimensat',
    at.name,
  );
}

/** Sets the modification time of an open file; the access time stays. */
export function setTimeOf(fd: number, mtime: TimeStamp): void {
  checked(nativeFutimens(fd, timesOf(mtime)), 'futimens');
}

/** `struct timespec[2]` of a 64-bit Linux; one buffer for all calls, which are synchronous. */
const times = Buffer.alloc(32);
times.writeBigInt64LE(UTIME_OMIT, 8);

function timesOf(mtime: TimeStamp): Buffer {
  times.writeBigInt64LE(BigInt(mtime.seconds), 16);
  times.writeBigInt64LE(BigInt(mtime.nanoseconds), 24);
  return times;
}
