import { getSystemErrorMap } from 'node:util';

import type { ErrorCode } from './catalogue.js';

/** A failed system call in a person's words. */
export interface ErrnoDescription {
  readonly code: ErrorCode;
  /** What was called, on what, and why it failed; the path stands in it as the kernel got it. */
  readonly message: string;
  readonly hint: string | undefined;
}

/** A failed system call that nobody gave a meaning, said in words; undefined for any other error. */
export function describeErrno(error: unknown): ErrnoDescription | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  const { code, syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: unknown };
  if (typeof code !== 'string' || typeof syscall !== 'string') return undefined;
  // What is copied is open already: it is where it should go that nothing can be made.
  const place = syscall === 'copyfile' ? (dest ?? path) : path;
  const where = typeof place === 'string' ? ` '${place}'` : '';
  return { ...meaningOf(code), message: `${syscall}${where}: ${wordsOf(code)}` };
}

/** The same of a call that another program made for berth, and told by its name (`EROFS`); `doing` is what it did. */
export function describeForeignErrno(name: string, doing: string): ErrnoDescription {
  return { ...meaningOf(name), message: `${doing}: ${wordsOf(name)}` };
}

function meaningOf(code: string): Pick<ErrnoDescription, 'code' | 'hint'> {
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return { code: 'DISK_FULL', hint: 'free some space and run the command again' };
  if (code !== 'EACCES' && code !== 'EPERM')
    return { code: 'SYSTEM_CALL_FAILED', hint: HINTS[code] };
  if (process.geteuid?.() !== 0) return { code: 'NEEDS_ROOT', hint: 'run berth as root' };
  // Root is refused by an attribute of the file (chattr +i, +a), by a security module, or by a container around berth.
  return {
    code: 'SYSTEM_CALL_FAILED',
    hint: 'look whether the file or its folder is immutable (lsattr -d), or a security module forbids it',
  };
}

const HINTS: Readonly<Record<string, string>> = {
  EROFS: 'mount it writable; what berth keeps itself can be moved (BERTH_STATE_DIR)',
  EIO: "look at the kernel's log (dmesg): a disk may be failing",
  EMFILE: 'raise the limit (ulimit -n) and run the command again',
  ENFILE: 'close some programs and run the command again',
  ENOMEM: 'free some memory and run the command again',
  EBUSY: 'look who uses it (findmnt, fuser), then run the command again',
  ETXTBSY: 'wait for the program to end, then run the command again',
};

function wordsOf(code: string): string {
  return WORDS[code] ?? NAMES_AND_WORDS.get(code) ?? `the kernel refused it (${code})`;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the file system',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  EIO: 'input/output error',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'not a folder',
  EEXIST: 'it exists already',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in the system',
  ENOMEM: 'out of memory',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  ETIMEDOUT: 'there was no answer in time',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name server does not answer',
};

/** What the C library says of every number, for what has no words above. */
const NAMES_AND_WORDS: ReadonlyMap<string, string> = new Map(getSystemErrorMap().values());
