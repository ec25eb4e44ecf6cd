import { bindLibc, loadKoffi } from './libc.js';

const nativeLinkat = bindLibc(
  'int linkat(int olddirfd, const void *oldpath, int newdirfd, const void *newpath, int flags)',
);
const nativeLinkatNumbers = bindLibc(
  'int linkat(int olddirfd, uintptr_t oldpath, int newdirfd, uintptr_t newpath, int flags)',
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

/** As {@link AtBytes}, by where the bytes are in memory. */
export interface AtAddress {
  readonly dirFd: number;
  readonly address: number;
}

/** {@link linkBytes} where many names are in one piece of memory, of which {@link addressOf} was asked once. */
export function linkAddresses(from: AtAddress, to: AtAddress): boolean {
  return nativeLinkatNumbers(from.dirFd, from.address, to.dirFd, to.address, 0) === 0;
}

/** Where bytes begin in memory; good as long as somebody holds them. */
export function addressOf(bytes: Uint8Array): number {
  return Number(loadKoffi().address(bytes));
}
