import { AT_FDCWD, bindLibc, checked, scratchName, type At } from './libc.js';

const nativeRenameat2 = bindLibc(
  'int renameat2(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, uint32_t flags)',
);

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/** Renames, replacing what stands at `to` as rename(2) does. */
export function renameAt(from: At, to: At): void {
  rename(from, to, 0);
}

/** Renames, or fails with `EEXIST` if something stands at `to`: the question and the act are one. */
export function renameNoReplaceAt(from: At, to: At): void {
  rename(from, to, RENAME_NOREPLACE);
}

/** Swaps two names in one step; both must exist. */
export function exchangeAt(first: At, second: At): void {
  rename(first, second, RENAME_EXCHANGE);
}

/** {@link renameNoReplaceAt} for two paths of the host, as text. */
export function renameNoReplace(from: string, to: string): void {
  renameNoReplaceAt(hostPath(from), hostPath(to));
}

/** {@link exchangeAt} for two paths of the host, as text. */
export function exchangePaths(first: string, second: string): void {
  exchangeAt(hostPath(first), hostPath(second));
}

function hostPath(path: string): At {
  return { dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') };
}

function rename(from: At, to: At, flags: number): void {
  checked(
    nativeRenameat2(from.dirFd, scratchName(from.name, 1), to.dirFd, scratchName(to.name), flags),
    'renameat2',
    to.name,
  );
}
