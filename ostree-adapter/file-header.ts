import { createHash, type Hash } from 'node:crypto';

import { OstreeInputError } from './errors.js';
import { encodeVariant } from './gvariant/encode.js';
import { asArray, asBytes, type VariantData } from './gvariant/value.js';
import { uint32 } from './object-name.js';
import { isCleanText } from './text.js';

/** An extended attribute. The name has one character for each byte. */
export type Xattr = readonly [name: string, value: Uint8Array];

/** What a regular file is besides its content. */
export interface RegularFile {
  readonly kind: 'file';
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly Xattr[];
}

/** A symbolic link. */
export interface SymbolicLink {
  readonly kind: 'symlink';
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly Xattr[];
}

/** A content object without its content. */
export type FileHeader = RegularFile | SymbolicLink;

/** What a directory is besides its entries. */
export interface DirectoryMetadata {
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly Xattr[];
}

/** `S_IFMT` and the types that OSTree knows. */
export const fileTypeBits = {
  mask: 0o170000,
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
};

/** Type of dirmeta objects: uid, gid, mode (big-endian) and xattrs. */
const DIRMETA_TYPE = '(uuua(ayay))';
/** Type of the header of content objects: uid, gid, mode, device (big-endian), symlink target, xattrs. */
const HEADER_TYPE = '(uuuusa(ayay))';
/** XATTR_NAME_MAX. */
const MAX_XATTR_NAME = 255;
/** XATTR_SIZE_MAX. */
const MAX_XATTR_SIZE = 65_536;
/** Attributes of one file: more than any file system keeps, and an object header stays far below libostree's limit. */
const MAX_XATTRS = 1024;
/** PATH_MAX without its NUL. */
const MAX_TARGET_BYTES = 4095;

/**
 * The bytes that stand before the content in a content object's stream (ostree_raw_file_to_content_stream()): the
 * object's checksum is SHA-256 of both.
 *
 * @throws {@link OstreeInputError} for metadata that no file can have
 */
export function encodeFileHeader(header: FileHeader): Buffer {
  const link = header.kind === 'symlink';
  const mode = link
    ? fileTypeBits.symlink | 0o777
    : fileTypeBits.file | permissionBits(header.mode);
  const plain = header.xattrs.length === 0;
  const variant = plain
    ? encodePlainHeader(header, mode)
    : encodeVariant({
        type: HEADER_TYPE,
        value: [
          bigEndian(uint32(header.uid, 'uid')),
          bigEndian(uint32(header.gid, 'gid')),
          bigEndian(mode),
          0,
          link ? checkedTarget(header.target) : '',
          xattrsData(header.xattrs),
        ],
      });
  // The size, big-endian, and zeros up to the alignment of the variant.
  const start = Buffer.alloc(8);
  start.writeUInt32BE(variant.length);
  return Buffer.concat([start, variant]);
}

/**
 * A header without extended attributes, as the codec would encode it: most files have none, and this is made for each of
 * them (1 µs instead of 12 µs). The attributes are empty and the last member, so only the end of the target is framed.
 */
function encodePlainHeader(header: FileHeader, mode: number): Buffer {
  const target = header.kind === 'symlink' ? checkedTarget(header.target) : '';
  const end = 16 + Buffer.byteLength(target) + 1;
  const width = end + 1 <= 0xff ? 1 : 2;
  const bytes = Buffer.alloc(end + width);
  bytes.writeUInt32BE(uint32(header.uid, 'uid'), 0);
  bytes.writeUInt32BE(uint32(header.gid, 'gid'), 4);
  bytes.writeUInt32BE(mode, 8);
  bytes.write(target, 16, 'utf8');
  bytes.writeUIntLE(end, end, width);
  return bytes;
}

/** A hash that has taken in the header and waits for the content: `digest('hex')` is the checksum of the object. */
export function createFileHash(header: FileHeader): Hash {
  return createHash('sha256').update(encodeFileHeader(header));
}

/** The bytes of a dirmeta object. */
export function encodeDirectoryMetadata(metadata: DirectoryMetadata): Buffer {
  return encodeVariant({
    type: DIRMETA_TYPE,
    value: [
      bigEndian(uint32(metadata.uid, 'uid')),
      bigEndian(uint32(metadata.gid, 'gid')),
      bigEndian(fileTypeBits.directory | permissionBits(metadata.mode)),
      xattrsData(metadata.xattrs),
    ],
  });
}

/** GVariant type of dirmeta objects. */
export const directoryMetadataType = DIRMETA_TYPE;

/** GVariant type of a list of extended attributes. */
export const xattrsType = 'a(ayay)';

/**
 * Extended attributes as the codec takes them: names with their NUL, in the order of their bytes, which is libostree's.
 *
 * @throws {@link OstreeInputError}
 */
export function xattrsData(xattrs: readonly Xattr[]): VariantData {
  if (xattrs.length > MAX_XATTRS) throw new OstreeInputError('too many extended attributes');
  const names = new Set<string>();
  const entries = xattrs.map(([name, value]) => {
    if (!/^[\x01-\xff]+$/.test(name) || name.length > MAX_XATTR_NAME || names.has(name)) {
      throw new OstreeInputError(
        `'${name.slice(0, 255)}' is not the name of an extended attribute`,
      );
    }
    if (value.length > MAX_XATTR_SIZE)
      throw new OstreeInputError('extended attribute is too large');
    names.add(name);
    return [Buffer.from(`${name}\0`, 'latin1'), value] as const;
  });
  return entries.sort(([left], [right]) => Buffer.compare(left, right));
}

/** Decoded `a(ayay)`. */
export function xattrsOf(data: VariantData | undefined): readonly Xattr[] {
  return asArray(data).map((entry) => {
    const [name, value] = asArray(entry);
    const bytes = asBytes(name);
    const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
    return [Buffer.from(bytes.subarray(0, end)).toString('latin1'), asBytes(value)] as const;
  });
}

/** A number as libostree puts it into objects: in network byte order, whatever GVariant thinks. */
export function bigEndian(value: number): number {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, value);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}

/** Permission bits of a mode that may have no more than them. */
export function permissionBits(mode: number): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw new OstreeInputError('mode is not permission bits');
  }
  return mode;
}

function checkedTarget(target: string): string {
  const fits =
    isCleanText(target) && target !== '' && Buffer.byteLength(target) <= MAX_TARGET_BYTES;
  if (!fits) throw new OstreeInputError('not the target of a symbolic link');
  return target;
}
