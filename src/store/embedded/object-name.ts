import { createHash } from 'node:crypto';

import type { NodeMeta } from '../../layer/tree.js';
import { CONTENT_HASH_BYTES } from '../layer-index.js';
import type { RecordedFile } from '../record-cursor.js';

/** What tells an object from every other one: its content, and what else an inode keeps. */
export interface ObjectIdentity {
  /** Hexadecimal. */
  readonly contentSha256: string;
  readonly meta: NodeMeta;
}

/** Number of sub-folders of `objects/`: two hexadecimal digits of the content's digest. */
export const OBJECT_FOLDERS: readonly string[] = Array.from({ length: 256 }, (_, number) =>
  number.toString(16).padStart(2, '0'),
);

/**
 * The path of an object below `objects/`:
 *
 *     ab/cdef…-MODE.UID.GID.SECONDS.NANOSECONDS[.XATTRS]
 *
 * Names that are linked share one inode, and with it owner, mode, time and attributes. So each combination is an object of
 * its own, a variant of the content; and a person (and fsck) can read off the name what should be in the file. The numbers
 * are octal, decimal, decimal, and base 36; XATTRS is the start of a digest of the extended attributes.
 */
export function objectName(object: ObjectIdentity): string {
  const { contentSha256: hash, meta } = object;
  return `${hash.slice(0, 2)}/${hash.slice(2)}-${variantOf(meta)}`;
}

function variantOf(meta: NodeMeta): string {
  const time = `${meta.mtimeSeconds.toString(36)}.${meta.mtimeNanoseconds.toString(36)}`;
  const variant = `${meta.mode.toString(8)}.${meta.uid}.${meta.gid}.${time}`;
  return meta.xattrs.length === 0 ? variant : `${variant}.${xattrsDigest(meta)}`;
}

/** Where the variant begins in the name of an object. */
const VARIANT_AT = 66;
/** Longer than any name of an object, with a NUL at its end. */
export const MAX_OBJECT_NAME_BYTES = 256;
const SLASH = 0x2f;
const DASH = 0x2d;
const DOT = 0x2e;
const DIGITS = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');

/** {@link objectName} in bytes and with a NUL at the end, which is where it ends. */
export function writeObjectName(bytes: Buffer, start: number, object: ObjectIdentity): number {
  bytes.write(object.contentSha256, start + 1, 'latin1');
  bytes[start] = bytes[start + 1] ?? 0;
  bytes[start + 1] = bytes[start + 2] ?? 0;
  bytes[start + 2] = SLASH;
  return writeVariant(bytes, start + VARIANT_AT - 1, object.meta);
}

/** What stands behind the digest, from the dash to the NUL. Without strings: it is written for each file of a checkout. */
function writeVariant(bytes: Buffer, start: number, meta: NodeMeta): number {
  let at = start;
  bytes[at++] = DASH;
  if (meta.xattrs.length > 0 || meta.mtimeSeconds < 0) {
    at += bytes.write(variantOf(meta), at, 'latin1');
  } else {
    at = writeOctal(bytes, at, meta.mode);
    at = writeDecimal(bytes, at, meta.uid);
    at = writeDecimal(bytes, at, meta.gid);
    at = writeBase36(bytes, at, meta.mtimeSeconds);
    at = writeBase36(bytes, at, meta.mtimeNanoseconds) - 1;
  }
  bytes[at] = 0;
  return at + 1;
}

/** What writes numbers to this base, each with a dot behind it, and gives where that ends. */
function numberWriter(radix: number): (bytes: Buffer, start: number, number: number) => number {
  return (bytes, start, number) => {
    let end = start + 1;
    for (let rest = number; rest >= radix; rest = Math.floor(rest / radix)) end += 1;
    let rest = number;
    for (let at = end - 1; at >= start; at -= 1) {
      bytes[at] = DIGITS[rest % radix] ?? 0;
      rest = Math.floor(rest / radix);
    }
    bytes[end] = DOT;
    return end + 1;
  };
}

const writeOctal = numberWriter(8);
const writeDecimal = numberWriter(10);
const writeBase36 = numberWriter(36);

/** {@link objectName} for one file after the other, in bytes and with a NUL at the end. The next name overwrites the last one. */
export class ObjectNameWriter {
  readonly #name = Buffer.alloc(MAX_OBJECT_NAME_BYTES);
  /** What is at {@link VARIANT_AT}: files that follow each other mostly have the same. */
  #meta: NodeMeta | undefined;

  write({ bytes, contentAt, meta }: RecordedFile): Buffer {
    const name = this.#name;
    let at = 0;
    for (let index = contentAt; index < contentAt + CONTENT_HASH_BYTES; index += 1) {
      const byte = bytes[index] ?? 0;
      name[at] = DIGITS[byte >> 4] ?? 0;
      name[at + 1] = DIGITS[byte & 15] ?? 0;
      at += at === 0 ? 3 : 2;
    }
    if (meta !== this.#meta) {
      writeVariant(name, VARIANT_AT - 1, meta);
      name[2] = SLASH;
      this.#meta = meta;
    }
    return name;
  }
}

/** Digest of extended attributes, 32 hexadecimal digits: collisions are nobody's gain, since content and mode are named in full. */
export function xattrsDigest(meta: Pick<NodeMeta, 'xattrs'>): string {
  const hash = createHash('sha256');
  for (const { name, value } of meta.xattrs) {
    hash.update(`${name.length} ${value.length} `).update(name, 'latin1').update(value);
  }
  return hash.digest('hex').slice(0, 32);
}

/** What the name of an object says; undefined for what is no such name. */
export interface ParsedObjectName {
  readonly contentSha256: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** {@link xattrsDigest}, or undefined where there are none. */
  readonly xattrs: string | undefined;
}

const NAME =
  /^([0-9a-f]{62})-([0-7]{1,4})\.(\d{1,10})\.(\d{1,10})\.(-?[0-9a-z]{1,8})\.([0-9a-z]{1,6})(?:\.([0-9a-f]{32}))?$/;

/** Parses the name of a file in a folder of `objects/`. */
export function parseObjectName(folder: string, name: string): ParsedObjectName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, rest = '', mode = '', uid = '', gid = '', seconds = '', nanoseconds = '', xattrs] =
    match;
  return {
    contentSha256: folder + rest,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    mtimeSeconds: Number.parseInt(seconds, 36),
    mtimeNanoseconds: Number.parseInt(nanoseconds, 36),
    xattrs,
  };
}
