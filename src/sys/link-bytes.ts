import { bindLibc } from './libc.js';

const nativeLinkat = bindLibc(
  'int linkat(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, int flags)',
);

/** A name below an open directory, in bytes that end with a NUL. */
export interface AtBytes {
  readonly dirFd: number;
  readonly name: Buffer;
}

/**
 * linkat(2) of names that are bytes already, for the many links of a checkout; false where it fails, and `linkAt` has to be asked
 * for the reason.
 */
export function linkBytes(from: AtBytes, to: AtBytes): boolean {
  return nativeLinkat(from.dirFd, from.name, to.dirFd, to.name, 0) === 0;
}
