import { unlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import { isErrno } from '../errors/is-errno.js';
import type { LockFile } from '../sys/lock-file.js';

/*
 * A file of `partial/`: records one after the other, each of
 *
 *   4 bytes   length of the content, little endian
 *   4 bytes   CRC-32 of the content, begun with its offset in the blob (its lower 32 bits), little endian
 *   n bytes   content
 *
 * The checksums find what a power cut left half-written: nothing is ever synced here, because what is lost is fetched again.
 * They prove nothing: all that comes out is hashed by the consumer as if it came from the network.
 */

const HEADER_BYTES = 8;

/** Written at once, in bytes: large enough that the file costs no time, small enough that little is lost to a kill. */
const RECORD_BYTES = 256 * 1024;

/** Longest content of a record in bytes: a piece of the network is never that large. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** What came is written after this time at the latest, in milliseconds: on a slow link a record takes minutes. */
const WRITE_AFTER_MS = 250;

/** Bytes between two looks at how much room there is. */
const LOOK_EVERY_BYTES = 64 * 1024 * 1024;

/** What a {@link PartialBlob} is made of; it closes file and lock. */
export interface PartialBlobParts {
  readonly path: string;
  readonly file: FileHandle;
  readonly lock: LockFile;
  /** Promised size of the blob in bytes: never more is kept. */
  readonly size: number;
  /** Whether so many further bytes may be kept on this disk. */
  readonly hasRoomFor: (bytes: number) => Promise<boolean>;
}

/**
 * The bytes of one blob that came so far, kept for a later process while they are used by this one. First
 * {@link PartialBlob.read} what is there, to its end, then {@link PartialBlob.append} what follows. Keeping is a convenience: when it fails it
 * ends, and nobody is told. What is there when it is disposed of stays, unless it is nothing.
 */
export class PartialBlob implements AsyncDisposable {
  readonly #parts: PartialBlobParts;
  #bytes = 0;
  #position = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #wroteAtMs = performance.now();
  #lookAt = LOOK_EVERY_BYTES;
  #keeps = true;

  constructor(parts: PartialBlobParts) {
    this.#parts = parts;
  }

  /** How much of the blob was read or appended. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Gives what an earlier process left, up to the first record that is not whole; what follows it is cut off. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const content = await this.#readRecord();
      if (content === undefined) break;
      this.#position += HEADER_BYTES + content.length;
      this.#bytes += content.length;
      yield content;
    }
    await this.#try(() => this.#parts.file.truncate(this.#position));
  }

  /** Keeps a piece; it may be changed afterwards. */
  async append(piece: Uint8Array): Promise<void> {
    if (!this.#keeps) return;
    this.#bytes += piece.length;
    // More than was promised will be refused: a server must not fill the disk meanwhile.
    if (this.#bytes > this.#parts.size) {
      await this.clear();
      this.#keeps = false;
      return;
    }
    const isWhole = this.#waitingBytes === 0 && piece.length >= RECORD_BYTES;
    this.#waiting.push(isWhole ? piece : Buffer.from(piece));
    this.#waitingBytes += piece.length;
    if (isWhole) {
      await this.#write();
      await this.#writing;
      return;
    }
    const isDue = performance.now() - this.#wroteAtMs >= WRITE_AFTER_MS;
    if (this.#waitingBytes >= RECORD_BYTES || isDue) await this.#write();
  }

  /** Forgets what is there: the next piece is the first one again. */
  async clear(): Promise<void> {
    await this.#writing;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#bytes = 0;
    this.#position = 0;
    await this.#try(() => this.#parts.file.truncate(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { file, lock, path } = this.#parts;
    await this.#write();
    await this.#writing;
    await file.close();
    if (this.#position === 0) removeFile(path);
    lock.release();
  }

  async #readRecord(): Promise<Buffer | undefined> {
    const header = await this.#readAt(this.#position, HEADER_BYTES);
    if (header === undefined) return undefined;
    const length = header.readUInt32LE(0);
    const left = this.#parts.size - this.#bytes;
    if (length === 0 || length > Math.min(left, MAX_RECORD_BYTES)) return undefined;
    const content = await this.#readAt(this.#position + HEADER_BYTES, length);
    if (content === undefined) return undefined;
    return crc32(content, this.#bytes >>> 0) === header.readUInt32LE(4) ? content : undefined;
  }

  async #readAt(position: number, length: number): Promise<Buffer | undefined> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    await this.#try(async () => {
      while (filled < length) {
        const rest = { offset: filled, length: length - filled, position: position + filled };
        const { bytesRead } = await this.#parts.file.read(buffer, rest);
        if (bytesRead === 0) return;
        filled += bytesRead;
      }
    });
    return filled === length ? buffer : undefined;
  }

  /** Waits for the record before: one at a time is under way, so a slow disk slows the network down and fills no memory. */
  async #write(): Promise<void> {
    await this.#writing;
    if (!this.#keeps || this.#waitingBytes === 0) return;
    const [only] = this.#waiting;
    const content =
      this.#waiting.length === 1 && only !== undefined
        ? only
        : Buffer.concat(this.#waiting, this.#waitingBytes);
    const offset = this.#bytes - content.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#wroteAtMs = performance.now();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(content.length, 0);
    header.writeUInt32LE(crc32(content, offset >>> 0), 4);
    this.#writing = this.#try(async () => {
      if (this.#position >= this.#lookAt) await this.#lookForRoom();
      if (!this.#keeps) return;
      await this.#parts.file.writev([header, content], this.#position);
      this.#position += HEADER_BYTES + content.length;
    });
  }

  async #lookForRoom(): Promise<void> {
    this.#lookAt = this.#position + LOOK_EVERY_BYTES;
    if (await this.#parts.hasRoomFor(this.#parts.size - this.#bytes)) return;
    this.#keeps = false;
    this.#position = 0;
    await this.#parts.file.truncate(0);
  }

  /** A disk that fails or is full ends the keeping: the pull itself says so if it matters. */
  async #try(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      this.#keeps = false;
      this.#position = 0;
      // The room is what is needed now; where not even that goes, the next prune does it.
      await this.#parts.file.truncate(0).catch(() => undefined);
    }
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EROFS')) throw error;
  }
}
