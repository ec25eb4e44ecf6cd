import { closeSync, constants, fstatSync, readSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { bindLibc, checked, cString, systemError } from './libc.js';

const nativeSyscall = bindLibc(
  'long syscall(long number, long dirfd, const void *path, const void *how, size_t size)',
);

/** openat2(2) has one number on every architecture (asm-generic, 5.6). */
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_IN_ROOT = 0x10n;
const OPEN_HOW_BYTES = 24;
/** A rename somewhere in the tree makes openat2 say EAGAIN; a quiet tree needs one try, a hostile one gets no more than these. */
const MAX_TRIES = 32;

/** How {@link openInRoot} opens. */
export interface OpenInRootOptions {
  /** Flags of open(2); `O_RDONLY` unless given. `O_CLOEXEC` is always added. */
  readonly flags?: number;
  /** Refuses a symbolic link as the last component (`ELOOP`); links before it are followed inside the root. */
  readonly nofollow?: boolean;
  /** Refuses symbolic links anywhere in the path (`ELOOP`). */
  readonly noSymlinks?: boolean;
  /** Refuses what is not a regular file; never blocks on a FIFO or device. */
  readonly regularOnly?: boolean;
  /** Refuses a regular file that is larger, by its size. */
  readonly maxBytes?: number;
  /** Permission bits of a file that is made (`O_CREAT`). */
  readonly mode?: number;
}

/**
 * Opens a path as if `rootFd` were the root directory: absolute paths, `..` and links stay inside it (openat2(2),
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). `path` is a byte string. The caller closes the descriptor.
 *
 * @throws errno errors (`ENOENT`, `ELOOP`, …); `OperationalError` LIMIT_EXCEEDED if it is not a regular file or too large
 */
export function openInRoot(rootFd: number, path: string, options: OpenInRootOptions = {}): number {
  let flags = (options.flags ?? constants.O_RDONLY) | 0o2000000; // O_CLOEXEC
  if (options.nofollow === true) flags |= constants.O_NOFOLLOW;
  // A FIFO would block the open until a writer comes; a tty would become ours.
  if (options.regularOnly === true) flags |= constants.O_NONBLOCK | constants.O_NOCTTY;
  let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  if (options.noSymlinks === true) resolve |= RESOLVE_NO_SYMLINKS;
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(flags >>> 0), 0);
  how.writeBigUInt64LE((flags & constants.O_CREAT) === 0 ? 0n : BigInt(options.mode ?? 0), 8);
  how.writeBigUInt64LE(resolve, 16);
  const fd = openat2(rootFd, path, how);
  try {
    if (options.regularOnly === true) checkRegular(fd, path, options.maxBytes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/**
 * Reads a regular file inside a root, up to a limit: see {@link openInRoot}. Links are followed inside the root unless
 * `nofollow` is given.
 */
export function readFileInRoot(
  rootFd: number,
  path: string,
  options: { readonly maxBytes: number; readonly nofollow?: boolean },
): Buffer {
  const fd = openInRoot(rootFd, path, { ...options, regularOnly: true });
  try {
    return readUpTo(fd, path, options.maxBytes);
  } finally {
    closeSync(fd);
  }
}

function openat2(rootFd: number, path: string, how: Buffer): number {
  // A NUL would cut the path short for the kernel: what was checked would not be what is opened.
  if (path.includes('\0')) throw systemError(EINVAL, 'openat2', path);
  const bytes = cString(path === '' ? '.' : path);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return checked(
        nativeSyscall(SYS_OPENAT2, rootFd, bytes, how, OPEN_HOW_BYTES),
        'openat2',
        path,
      );
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== 'EAGAIN' && code !== 'EINTR') || attempt >= MAX_TRIES) throw error;
    }
  }
}

const EINVAL = 22;

function checkRegular(fd: number, path: string, maxBytes: number | undefined): void {
  const found = fstatSync(fd);
  const shown = quote(Buffer.from(path, 'latin1').toString('utf8'));
  if (!found.isFile()) {
    throw new OperationalError('LIMIT_EXCEEDED', `${shown} is not a regular file`);
  }
  if (maxBytes !== undefined && found.size > maxBytes) throw tooLarge(shown, maxBytes);
}

/** Reads at most one byte more than allowed: the size that stat gave may be a lie (procfs) or out of date. */
function readUpTo(fd: number, path: string, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1 - total));
    const count = readSync(fd, chunk, 0, chunk.length, null);
    if (count === 0) return Buffer.concat(chunks, total);
    total += count;
    if (total > maxBytes) {
      throw tooLarge(quote(Buffer.from(path, 'latin1').toString('utf8')), maxBytes);
    }
    chunks.push(chunk.subarray(0, count));
  }
}

function tooLarge(shown: string, maxBytes: number): OperationalError {
  return new OperationalError(
    'LIMIT_EXCEEDED',
    `${shown} is larger than ${maxBytes} bytes, refusing to read it`,
  );
}
