import { OstreeInputError } from './errors.js';
import { asciiString, cString } from './ffi/memory.js';

declare const checksumBrand: unique symbol;

/** The name of an object: SHA-256 in 64 lower-case hexadecimal digits. Made by {@link parseChecksum}, and by libostree. */
export type Checksum = string & { readonly [checksumBrand]: true };

/** Kinds of objects, by the suffix of their files. */
export const objectTypes = {
  file: 1,
  dirtree: 2,
  dirmeta: 3,
  commit: 4,
  'tombstone-commit': 5,
} as const;

/** A kind of object. */
export type ObjectType = keyof typeof objectTypes;

/**
 * The number of a kind of object, for a call.
 *
 * @throws {@link OstreeInputError}
 */
export function typeArgument(type: ObjectType): number {
  if (!Object.hasOwn(objectTypes, type)) throw new OstreeInputError('no such kind of object');
  return objectTypes[type];
}

/** An object of a repository. */
export interface ObjectName {
  readonly type: ObjectType;
  readonly checksum: Checksum;
}

/**
 * Checks a checksum.
 *
 * @throws {@link OstreeInputError}
 */
export function parseChecksum(text: string): Checksum {
  if (!isChecksum(text)) throw new OstreeInputError('not a checksum of 64 hexadecimal digits');
  return text;
}

/** Whether it is a checksum as libostree writes it. */
export function isChecksum(text: unknown): text is Checksum {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/** A checksum of 32 bytes. */
export function checksumOfBytes(bytes: Uint8Array): Checksum {
  return parseChecksum(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex'));
}

/** A checksum for a call; checked again, since libostree walks over bad ones blindly. */
export function checksumArgument(checksum: Checksum): Buffer {
  return asciiString(parseChecksum(checksum));
}

/** A letter, digit or underscore first; then dashes and dots too (OSTREE_REF_REGEXP of ostree-core.c). */
const FRAGMENT = '[\\p{L}\\p{N}_][-.\\p{L}\\p{N}_]*';
const REF = new RegExp(`^(?:${FRAGMENT}/)*${FRAGMENT}$`, 'u');
const REMOTE = new RegExp(`^${FRAGMENT}$`, 'u');
/** Refs are paths below `refs/heads`: PATH_MAX. */
const MAX_REF_BYTES = 4000;
/** NAME_MAX. */
const MAX_FRAGMENT_BYTES = 255;

/**
 * A ref name for a call.
 *
 * @throws {@link OstreeInputError} for what libostree would not take for one
 */
export function refArgument(ref: string): Buffer {
  const bytes = cString(ref, 'ref');
  const fits =
    bytes.length <= MAX_REF_BYTES &&
    ref.split('/').every((part) => Buffer.byteLength(part) <= MAX_FRAGMENT_BYTES);
  if (!fits || !REF.test(ref))
    throw new OstreeInputError(`'${ref.slice(0, 200)}' is not a ref name`);
  return bytes;
}

/**
 * A remote's name for a call.
 *
 * @throws {@link OstreeInputError}
 */
export function remoteArgument(remote: string): Buffer {
  const bytes = cString(remote, 'remote');
  if (bytes.length > MAX_FRAGMENT_BYTES || !REMOTE.test(remote)) {
    throw new OstreeInputError(`'${remote.slice(0, 200)}' is not a remote's name`);
  }
  return bytes;
}

/** Whether {@link refArgument} takes it. */
export function isRefName(ref: string): boolean {
  try {
    refArgument(ref);
    return true;
  } catch (error) {
    if (error instanceof OstreeInputError) return false;
    throw error;
  }
}

/**
 * The name of one directory entry, for a call: what libostree lets into a tree.
 *
 * @throws {@link OstreeInputError}
 */
export function entryArgument(name: string): Buffer {
  const bytes = cString(name, 'name');
  if (name === '' || name === '.' || name === '..' || name.includes('/') || bytes.length > 256) {
    throw new OstreeInputError(`'${name.slice(0, 200)}' is not the name of a directory entry`);
  }
  return bytes;
}

/** PATH_MAX with its NUL. */
const MAX_PATH_BYTES = 4096;

/**
 * A path for a call, relative to a directory descriptor or absolute.
 *
 * @throws {@link OstreeInputError}
 */
export function pathArgument(path: string): Buffer {
  const bytes = cString(path, 'path');
  if (path === '') throw new OstreeInputError('path is empty');
  if (bytes.length > MAX_PATH_BYTES) throw new OstreeInputError('path is too long');
  return bytes;
}

/** `AT_FDCWD`: paths are absolute, or relative to the working directory. */
export const AT_FDCWD = -100;

/**
 * A directory descriptor for a call.
 *
 * @throws {@link OstreeInputError}
 */
export function directoryArgument(fd: number | undefined): number {
  if (fd === undefined) return AT_FDCWD;
  if (fd !== AT_FDCWD) return uint31(fd, 'directory descriptor');
  return fd;
}

/** A number from 0 to 2^31-1. */
export function uint31(value: number, what: string): number {
  return inRange(value, what, 0x7fff_ffff);
}

/** A number from 0 to 2^32-1. */
export function uint32(value: number, what: string): number {
  return inRange(value, what, 0xffff_ffff);
}

function inRange(value: number, what: string, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new OstreeInputError(`${what} is not a number from 0 to ${max}`);
  }
  return value;
}
