import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { native, type Pointer } from './ffi/library.js';
import { asciiString, filledSlot, readString, slot, slotPointer, type Slot } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { fileTypeBits, xattrsOf, xattrsType, type FileHeader } from './file-header.js';
import { takeVariant } from './gvariant/native-variant.js';
import { GVariantError } from './gvariant/type-string.js';
import { checksumArgument, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';

/** What is read at once when nobody says: a quarter of a MiB is where larger pieces gain nothing. */
const DEFAULT_CHUNK_BYTES = 256 * 1024;

/**
 * A content object that is open for reading: one reference to a `GInputStream`, none for symbolic links. Dispose of it. One
 * read at a time.
 */
export class FileReader implements Disposable {
  readonly header: FileHeader;
  /** Of the content, in bytes. 0 for symbolic links. */
  readonly size: number;
  readonly #stream: NativeObject | undefined;
  #isReading = false;

  /** Takes the stream over. Use {@link openFile}. */
  constructor(header: FileHeader, size: number, stream: NativeObject | undefined) {
    this.header = header;
    this.size = size;
    this.#stream = stream;
  }

  /**
   * Reads the next bytes into a buffer, in this thread; how many, 0 at the end.
   *
   * @throws {@link OstreeError}
   */
  read(buffer: Uint8Array): number {
    if (this.#stream === undefined || buffer.length === 0) return 0;
    if (this.#isReading) throw new Error('a file is read twice at once');
    return callSync('g_input_stream_read', this.#stream.pointer, buffer, buffer.length, null);
  }

  /** As {@link FileReader.read}, in another thread. */
  async readAside(buffer: Uint8Array, options: AsyncOptions = {}): Promise<number> {
    if (this.#stream === undefined || buffer.length === 0) return 0;
    if (this.#isReading) throw new Error('a file is read twice at once');
    this.#isReading = true;
    try {
      return await this.#stream.whileHeld((pointer) =>
        callAside('g_input_stream_read', [pointer, buffer, buffer.length], options),
      );
    } finally {
      this.#isReading = false;
    }
  }

  /** The rest of the content, in pieces. */
  async *chunks({
    chunkBytes = DEFAULT_CHUNK_BYTES,
    signal,
  }: AsyncOptions & { readonly chunkBytes?: number } = {}): AsyncGenerator<Buffer> {
    for (;;) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const length = await this.readAside(buffer, { signal });
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  }

  /** All of the content, in this thread: for small files. */
  readAll(): Buffer {
    const pieces: Buffer[] = [];
    for (;;) {
      // One byte more than is left, so that the end shows in the same call for files of the size that is promised.
      const left = this.size - pieces.reduce((sum, piece) => sum + piece.length, 0);
      const buffer = Buffer.allocUnsafe(Math.max(left + 1, 1));
      const length = this.read(buffer);
      if (length === 0) return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
      pieces.push(buffer.subarray(0, length));
    }
  }

  [Symbol.dispose](): void {
    this.#stream?.[Symbol.dispose]();
  }
}

/**
 * Opens a content object. The content is not compared with the name: see {@link fsckObject}, or hash it with
 * {@link createFileHash}.
 *
 * @throws {@link OstreeError} (`isNotFound`)
 */
export function openFile(repo: Repo, checksum: Checksum): FileReader {
  const stream = slot();
  // (transfer full)
  const takeStream = (): NativeObject | undefined => {
    const pointer = slotPointer(stream);
    return pointer === undefined ? undefined : new NativeObject(pointer, 'a file');
  };
  try {
    const { header, size } = loadFile(repo, checksum, stream);
    return new FileReader(header, size, takeStream());
  } catch (error) {
    takeStream()?.[Symbol.dispose]();
    throw error;
  }
}

/**
 * What a content object is besides its content.
 *
 * @throws {@link OstreeError} (`isNotFound`)
 */
export function readFileHeader(repo: Repo, checksum: Checksum): FileHeader {
  return loadFile(repo, checksum, null).header;
}

/** What a content object is besides its content, and how long that is; its stream where one is asked for. */
function loadFile(
  repo: Repo,
  checksum: Checksum,
  stream: Slot | null,
): { readonly header: FileHeader; readonly size: number } {
  const info = slot();
  const xattrs = slot();
  const { pointer } = repo.handle;
  const object = checksumArgument(checksum);
  callSync('ostree_repo_load_file', pointer, object, stream, info, xattrs, null);
  // (transfer full), both
  using fileInfo = new NativeObject(filledSlot(info), 'file metadata');
  const given = slotPointer(xattrs);
  const decoded = given === undefined ? [] : xattrsOf(takeVariant(xattrsType, given));
  return { header: headerOf(fileInfo.pointer, decoded), size: sizeOf(fileInfo.pointer) };
}

const MODE = asciiString('unix::mode');
const UID = asciiString('unix::uid');
const GID = asciiString('unix::gid');
const SIZE = asciiString('standard::size');
const TARGET = asciiString('standard::symlink-target');

function headerOf(info: Pointer, xattrs: FileHeader['xattrs']): FileHeader {
  const call = native();
  const mode = call.g_file_info_get_attribute_uint32(info, MODE);
  const owner = {
    uid: call.g_file_info_get_attribute_uint32(info, UID),
    gid: call.g_file_info_get_attribute_uint32(info, GID),
    xattrs,
  };
  switch (mode & fileTypeBits.mask) {
    case fileTypeBits.file:
      return { kind: 'file', mode: mode & 0o7777, ...owner };
    case fileTypeBits.symlink: {
      // (transfer none)
      const target = call.g_file_info_get_attribute_byte_string(info, TARGET);
      return { kind: 'symlink', target: target === null ? '' : readString(target), ...owner };
    }
    default:
      throw new GVariantError('content object is neither a file nor a symbolic link');
  }
}

function sizeOf(info: Pointer): number {
  const call = native();
  const mode = call.g_file_info_get_attribute_uint32(info, MODE);
  if ((mode & fileTypeBits.mask) === fileTypeBits.symlink) return 0;
  return call.g_file_info_get_attribute_uint64(info, SIZE);
}
