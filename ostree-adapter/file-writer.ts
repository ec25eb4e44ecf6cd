import { OstreeInputError } from './errors.js';
import { callForPointer, callSync } from './ffi/call.js';
import { slot, takeString } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import type { Pointer } from './ffi/library.js';
import {
  fileTypeBits,
  permissionBits,
  xattrsData,
  xattrsType,
  type RegularFile,
} from './file-header.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { parseChecksum, uint32, type Checksum } from './object-name.js';

/**
 * A content object whose content comes in pieces, each written at once, in this thread: the way for what is too large to be
 * kept in memory. libostree hashes it, a quarter as fast as `writeFile` does. Dispose of it.
 */
export class FileWriter implements Disposable {
  readonly #stream: NativeObject;
  readonly #end: () => void;
  #left: number;
  #isOpen = true;

  /** Use `Transaction.openFileWriter`. */
  constructor(
    repo: Pointer,
    file: { readonly header: RegularFile; readonly size: number; readonly end: () => void },
  ) {
    const { header, size, end } = file;
    const mode = fileTypeBits.file | permissionBits(header.mode);
    const value = xattrsData(header.xattrs);
    using xattrs =
      header.xattrs.length === 0 ? undefined : NativeVariant.of({ type: xattrsType, value });
    this.#left = size;
    this.#end = end;
    const stream = callForPointer(
      'ostree_repo_write_regfile',
      repo,
      null,
      uint32(header.uid, 'uid'),
      uint32(header.gid, 'gid'),
      mode,
      size,
      xattrs?.pointer ?? null,
    );
    // (transfer full)
    this.#stream = new NativeObject(stream, 'a file that is being written');
  }

  /**
   * Writes a piece. The bytes are used during the call only.
   *
   * @throws {@link OstreeError}; {@link OstreeInputError} for more than was announced
   */
  write(chunk: Uint8Array): void {
    if (chunk.length > this.#left) throw new OstreeInputError('a file is longer than announced');
    if (chunk.length === 0) return;
    this.#left -= chunk.length;
    const { pointer } = this.#stream;
    callSync('g_output_stream_write_all', pointer, chunk, chunk.length, slot(), null);
  }

  /**
   * Finishes the object; its name.
   *
   * @throws {@link OstreeError}; {@link OstreeInputError} for less than was announced
   */
  finish(): Checksum {
    if (this.#left > 0) throw new OstreeInputError('a file is shorter than announced');
    // (transfer full)
    const checksum = callForPointer('ostree_content_writer_finish', this.#stream.pointer, null);
    this[Symbol.dispose]();
    return parseChecksum(takeString(checksum));
  }

  /** Gives up what was not finished. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream[Symbol.dispose]();
    this.#end();
  }
}
