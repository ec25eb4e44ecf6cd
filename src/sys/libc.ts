import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import type { address, config, decode, LibraryHandle, load } from 'koffi';

/*
 * The system calls that Node has no word for. The library and koffi are loaded on the first call, never on import:
 * commands that need none of this do not pay for it.
 *
 * Calls that name things take them as `At`: an open directory and a name below it, as byte string. A path that came out
 * of an image is never handed to the kernel from the host's root.
 */

/** A name below an open directory. `dirFd` may be {@link AT_FDCWD} with paths of berth's own only. */
export interface At {
  readonly dirFd: number;
  /** Byte string. */
  readonly name: string;
}

/** `AT_FDCWD`: names are relative to the working directory, or absolute. */
export const AT_FDCWD = -100;
/** `AT_SYMLINK_NOFOLLOW`. */
export const AT_SYMLINK_NOFOLLOW = 0x100;

/** A function of a C library, bound by {@link bindLibc}. */
export type NativeCall = (...args: readonly unknown[]) => number;

/** What is used of koffi. */
interface Koffi {
  readonly load: typeof load;
  readonly address: typeof address;
  readonly errno: () => number;
  readonly config: typeof config;
  readonly decode: typeof decode;
}

/** What libostree needs of the stack of a call in another thread; koffi takes it before the first library is loaded only. */
const ASYNC_STACK_BYTES = 16 * 1024 * 1024;

let loadedKoffi: Koffi | undefined;

/** The koffi module, loaded on first use. Only files of this folder call it. */
export function loadKoffi(): Koffi {
  if (loadedKoffi === undefined) {
    loadedKoffi = createRequire(import.meta.url)('koffi') as Koffi;
    if ((loadedKoffi.config().async_stack_size ?? 0) < ASYNC_STACK_BYTES)
      loadedKoffi.config({ async_stack_size: ASYNC_STACK_BYTES });
  }
  return loadedKoffi;
}

let processSymbols: LibraryHandle | undefined;

/**
 * A function of the C library, looked up on its first call among the symbols of this process, so that it is the same
 * library that Node itself runs on (glibc or musl).
 */
export function bindLibc(prototype: string): NativeCall {
  let bound: NativeCall | undefined;
  return (...args) => {
    if (bound === undefined) {
      processSymbols ??= loadKoffi().load(null);
      bound = processSymbols.func(prototype);
    }
    return bound(...args);
  };
}

/** The NUL-terminated bytes of a byte string, for a call. */
export function cString(bytes: string): Buffer {
  return Buffer.from(`${bytes}\0`, 'latin1');
}

/** PATH_MAX: no name that the kernel takes is longer. */
const SCRATCH_BYTES = 4096;
const scratch = [Buffer.alloc(SCRATCH_BYTES), Buffer.alloc(SCRATCH_BYTES)] as const;

/**
 * As {@link cString}, in a buffer that the next call overwrites: for the calls that are made for each file of an image
 * (1.6 µs instead of 2.0 µs for a link on tmpfs). A call that takes two names uses both `slot`s.
 */
export function scratchName(bytes: string, slot: 0 | 1 = 0): Buffer {
  const buffer = scratch[slot];
  if (bytes.length >= SCRATCH_BYTES) return cString(bytes);
  writeName(buffer, 0, bytes);
  return buffer;
}

/** Longer ones are written by the engine, which takes as long to begin as it takes to write this much here. */
const SHORT_NAME_BYTES = 32;

/** Writes a byte string with a NUL behind it; gives where that ends. */
export function writeName(buffer: Buffer, start: number, bytes: string): number {
  const end = start + bytes.length;
  if (bytes.length > SHORT_NAME_BYTES) buffer.write(bytes, start, 'latin1');
  else
    for (let index = 0; index < bytes.length; index += 1)
      buffer[start + index] = bytes.charCodeAt(index);
  buffer[end] = 0;
  return end + 1;
}

/** The error of the native call that failed last in this thread, in the form of Node's own. */
export function lastError(syscall: string, name?: string): NodeJS.ErrnoException {
  return systemError(loadKoffi().errno(), syscall, name);
}

/** A system error as Node would throw it. `name` is a byte string. */
export function systemError(errno: number, syscall: string, name?: string): NodeJS.ErrnoException {
  const code = errnoName(errno);
  const shown = name === undefined ? '' : ` '${Buffer.from(name, 'latin1').toString('utf8')}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall}${shown}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (name !== undefined) error.path = name;
  return error;
}

/** The first of several names of a number counts, as EAGAIN before EWOULDBLOCK. */
const errnoNames = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? getSystemErrorName(-errno);
}

/** Passes a result that is not negative on and throws {@link lastError} for the others. */
export function checked(result: number, syscall: string, name?: string): number {
  if (result < 0) throw lastError(syscall, name);
  return result;
}
