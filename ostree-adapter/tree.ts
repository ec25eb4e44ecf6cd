import { OstreeInputError } from './errors.js';
import { callSync } from './ffi/call.js';
import { filledSlot, slot } from './ffi/memory.js';
import {
  bigEndian,
  directoryMetadataType,
  fileTypeBits,
  xattrsOf,
  type DirectoryMetadata,
} from './file-header.js';
import { decodeVariant } from './gvariant/decode.js';
import { frame } from './gvariant/encode.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { GVariantError } from './gvariant/type-string.js';
import { asArray, asBytes, asNumber, asString, type VariantData } from './gvariant/value.js';
import {
  checksumArgument,
  checksumOfBytes,
  entryArgument,
  parseChecksum,
  typeArgument,
  type Checksum,
  type ObjectName,
} from './object-name.js';
import type { Repo } from './repo.js';

/** A directory: the objects of its entries and of its own metadata. */
export interface TreeChecksums {
  /** A dirtree object. */
  readonly contents: Checksum;
  /** A dirmeta object. */
  readonly metadata: Checksum;
}

/** What a dirtree object says. */
export interface TreeEntries {
  /** Names of files and symbolic links, and their content objects. */
  readonly files: ReadonlyMap<string, Checksum>;
  /** Names of directories. */
  readonly directories: ReadonlyMap<string, TreeChecksums>;
}

/** GVariant type of dirtree objects. */
export const treeType = '(a(say)a(sayay))';

/**
 * The bytes of a dirtree object: entries in the order of their bytes, as libostree demands. Encoded by hand, since images have
 * thousands of them.
 *
 * @throws {@link OstreeInputError} for names that cannot be, and for a name that a file and a directory have
 */
export function encodeTree({ files, directories }: TreeEntries): Buffer {
  for (const name of files.keys()) {
    if (directories.has(name)) throw new OstreeInputError(`'${name}' is in the directory twice`);
  }
  const fileEntries = sorted(files).map(([name, checksum]) => encodeEntry(name, [checksum]));
  const directoryEntries = sorted(directories).map(([name, { contents, metadata }]) =>
    encodeEntry(name, [contents, metadata]),
  );
  const fileList = encodeList(fileEntries);
  const directoryList = encodeList(directoryEntries);
  const body = fileList.length + directoryList.length;
  return Buffer.concat([fileList, directoryList, frame(body, [fileList.length])]);
}

/** A member of `a(say)` or `a(sayay)`: nothing in it is aligned, and the last checksum is not framed. */
function encodeEntry(name: Buffer, checksums: readonly Checksum[]): Buffer {
  const parts = checksums.map(checksumBytes);
  const ends = [name.length, name.length + CHECKSUM_BYTES].slice(0, parts.length).reverse();
  const size = name.length + CHECKSUM_BYTES * parts.length;
  return Buffer.concat([name, ...parts, frame(size, ends)]);
}

function encodeList(entries: readonly Buffer[]): Buffer {
  let size = 0;
  const ends = entries.map((entry) => (size += entry.length));
  return Buffer.concat([...entries, frame(size, ends)]);
}

/**
 * Reads a dirtree object.
 *
 * @throws {@link OstreeError} (`isNotFound`); {@link GVariantError} if it is damaged
 */
export function readTree(repo: Repo, checksum: Checksum): TreeEntries {
  return decodeTree(readMetadataObject(repo, { type: 'dirtree', checksum }));
}

/**
 * What the bytes of a dirtree object say.
 *
 * @throws {@link GVariantError} if they are damaged
 */
export function decodeTree(bytes: Uint8Array): TreeEntries {
  const [files, directories] = asArray(decodeVariant(treeType, bytes));
  return {
    files: unique(asArray(files), ([file]) => checksumOfBytes(sized(file))),
    directories: unique(asArray(directories), ([contents, metadata]) => ({
      contents: checksumOfBytes(sized(contents)),
      metadata: checksumOfBytes(sized(metadata)),
    })),
  };
}

/**
 * Reads a dirmeta object.
 *
 * @throws {@link OstreeError} (`isNotFound`); {@link GVariantError} if it is damaged
 */
export function readDirectoryMetadata(repo: Repo, checksum: Checksum): DirectoryMetadata {
  const bytes = readMetadataObject(repo, { type: 'dirmeta', checksum });
  const [uid, gid, mode, xattrs] = asArray(decodeVariant(directoryMetadataType, bytes));
  const bits = bigEndian(asNumber(mode));
  if ((bits & fileTypeBits.mask) !== fileTypeBits.directory) {
    throw new GVariantError('dirmeta is not of a directory');
  }
  return {
    uid: bigEndian(asNumber(uid)),
    gid: bigEndian(asNumber(gid)),
    mode: bits & ~fileTypeBits.mask & 0o7777,
    xattrs: xattrsOf(xattrs),
  };
}

/**
 * The bytes of a commit, dirtree or dirmeta object, unchecked: SHA-256 of them should be its name.
 *
 * @throws {@link OstreeError} (`isNotFound`)
 */
export function readMetadataObject(repo: Repo, { type, checksum }: ObjectName): Buffer {
  if (type === 'file') throw new OstreeInputError('a content object is not metadata');
  const out = slot();
  callSync(
    'ostree_repo_load_variant',
    repo.handle.pointer,
    typeArgument(type),
    checksumArgument(checksum),
    out,
  );
  // (transfer full)
  using variant = new NativeVariant(filledSlot(out));
  return variant.bytes();
}

function unique<Value>(
  entries: readonly VariantData[],
  valueOf: (rest: readonly VariantData[]) => Value,
): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  for (const entry of entries) {
    const [first, ...rest] = asArray(entry);
    const name = asString(first);
    try {
      entryArgument(name);
    } catch (cause) {
      throw new GVariantError('dirtree has a name that no entry can have', { cause });
    }
    if (found.has(name)) throw new GVariantError('dirtree has a name twice');
    found.set(name, valueOf(rest));
  }
  return found;
}

function sized(data: VariantData | undefined): Uint8Array {
  const bytes = asBytes(data);
  if (bytes.length !== CHECKSUM_BYTES) throw new GVariantError('checksum is not of 32 bytes');
  return bytes;
}

const CHECKSUM_BYTES = 32;

function checksumBytes(checksum: Checksum): Buffer {
  return Buffer.from(parseChecksum(checksum), 'hex');
}

/** Entries in the order of the bytes of their names, which are given with their NUL. */
function sorted<Value>(entries: ReadonlyMap<string, Value>): (readonly [Buffer, Value])[] {
  const keyed = [...entries].map(([name, value]) => [entryArgument(name), value] as const);
  return keyed.sort(([left], [right]) => Buffer.compare(left, right));
}
