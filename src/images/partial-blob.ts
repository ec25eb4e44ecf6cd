import { unlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import { isErrno } from '../errors/is-errno.js';
import type { LockFile } from '../sys/lock-file.js';
import {
  decodeRecordHeader,
  encodeRecordHeader,
  PARTIAL_BEGINNING,
  RECORD_HEADER_BYTES,
  type RecordHeader,
} from './partial-format.js';

/** Written at once, in bytes: large enough that the file costs no time, small enough that little is lost to a kill. */
const RECORD_BYTES = 256 * 1024;

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
  /** Whether an earlier process left the file. */
  readonly isThere: boolean;
  /** What comes sooner than so many milliseconds after the first byte is not kept, unless an earlier process left the file. */
  readonly keepAfterMs: number;
  /** Whether so many further bytes may be kept on this disk. */
  readonly hasRoomFor: (bytes: number) => Promise<boolean>;
}

/** Where the content of a record is in the file. */
interface Place extends RecordHeader {
  readonly position: number;
}

/**
 * The bytes of one blob that came so far, kept for a later process while they are used by this one: any parts of it, since what
 * came first may be missing. {@link PartialBlob.read} gives a part that is there, {@link PartialBlob.append} takes what is not.
 * Keeping is a convenience: when it fails it ends, and nobody is told. What is there when it is disposed of stays. A file stays
 * even without anything in it where a byte came and it was not cleared: by that the next process knows that a
 * download broke off, and keeps all from the first byte on. So even pulls that never get far come to their end.
 */
export class PartialBlob implements AsyncDisposable {
  readonly #parts: PartialBlobParts;
  /** What earlier processes left, by its offset in the blob. */
  readonly #places = new Map<number, Place>();
  #keptBytes = 0;
  /** End of what is in the file. */
  #position = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #waitingOffset = 0;
  #writing: Promise<void> = Promise.resolve();
  #wroteAtMs = performance.now();
  #beganAtMs: number | undefined;
  #lookAt = LOOK_EVERY_BYTES;
  #keeps = true;
  /** Whether the file says something: that a download broke off, or would if it ended now. */
  #isBegun: boolean;

  private constructor(parts: PartialBlobParts) {
    this.#parts = parts;
    this.#isBegun = parts.isThere;
  }

  /** Looks at what there is, up to the first record that is not whole; what follows it is cut off. */
  static async open(parts: PartialBlobParts): Promise<PartialBlob> {
    const partial = new PartialBlob(parts);
    if (parts.isThere) await partial.#try(() => partial.#find());
    return partial;
  }

  /** How much of the blob is kept: left by earlier processes, or appended. */
  get keptBytes(): number {
    return this.#keptBytes + this.#waitingBytes;
  }

  /** Gives what earlier processes left from `offset` on, as far as it is all there and undamaged. */
  async *read(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = offset; ;) {
      const content = await this.#readContent(at);
      if (content === undefined) return;
      yield content;
      at += content.length;
    }
  }

  /** Where behind `offset` the next part begins that earlier processes left. */
  nextAfter(offset: number): number | undefined {
    let next: number | undefined;
    for (const start of this.#places.keys()) {
      if (start > offset && (next === undefined || start < next)) next = start;
    }
    return next;
  }

  /** Keeps a piece that begins at `offset`, unless it is too early for that; it may be changed once this is done. */
  async append(piece: Uint8Array, offset: number): Promise<void> {
    if (!this.#keeps) return;
    // More than was promised will be refused: a server must not fill the disk meanwhile.
    if (offset + piece.length > this.#parts.size) {
      await this.clear();
      this.#keeps = false;
      return;
    }
    this.#isBegun = true;
    if (this.#isTooEarly()) return;
    if (this.#waitingBytes > 0 && offset !== this.#waitingOffset + this.#waitingBytes) {
      await this.#write();
    }
    if (this.#waitingBytes === 0) this.#waitingOffset = offset;
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
    this.#forget();
    await this.#try(() => this.#parts.file.truncate(0));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { file, lock, path } = this.#parts;
    await this.#write();
    await this.#writing;
    await file.close();
    if (!this.#isBegun) removeFile(path);
    lock.release();
  }

  async #find(): Promise<void> {
    const { file, size } = this.#parts;
    const { size: fileBytes } = await file.stat();
    const beginning = await this.#readAt(0, PARTIAL_BEGINNING.length);
    if (beginning?.equals(PARTIAL_BEGINNING) === true) {
      this.#position = PARTIAL_BEGINNING.length;
      for (;;) {
        const bytes = await this.#readAt(this.#position, RECORD_HEADER_BYTES);
        const header = bytes === undefined ? undefined : decodeRecordHeader(bytes);
        if (header === undefined || header.offset + header.length > size) break;
        const position = this.#position + RECORD_HEADER_BYTES;
        if (position + header.length > fileBytes) break;
        this.#drop(header.offset);
        this.#places.set(header.offset, { ...header, position });
        this.#keptBytes += header.length;
        this.#position = position + header.length;
      }
    }
    await file.truncate(this.#position);
  }

  async #readContent(offset: number): Promise<Buffer | undefined> {
    const place = this.#places.get(offset);
    if (place === undefined) return undefined;
    const content = await this.#readAt(place.position, place.length);
    if (content !== undefined && crc32(content) === place.crc) return content;
    this.#drop(offset);
    return undefined;
  }

  #drop(offset: number): void {
    const place = this.#places.get(offset);
    if (place === undefined) return;
    this.#places.delete(offset);
    this.#keptBytes -= place.length;
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

  #isTooEarly(): boolean {
    const nowMs = performance.now();
    this.#beganAtMs ??= nowMs;
    return !this.#parts.isThere && nowMs - this.#beganAtMs < this.#parts.keepAfterMs;
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
    const header = encodeRecordHeader(content, this.#waitingOffset);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#keptBytes += content.length;
    this.#wroteAtMs = performance.now();
    this.#writing = this.#try(async () => {
      if (this.#position >= this.#lookAt) await this.#lookForRoom();
      if (!this.#keeps) return;
      const record = [header, content];
      if (this.#position === 0) record.unshift(PARTIAL_BEGINNING);
      await this.#parts.file.writev(record, this.#position);
      this.#position += record.reduce((sum, { length }) => sum + length, 0);
    });
  }

  async #lookForRoom(): Promise<void> {
    this.#lookAt = this.#position + LOOK_EVERY_BYTES;
    if (await this.#parts.hasRoomFor(this.#parts.size - this.#keptBytes)) return;
    this.#keeps = false;
    this.#forget();
    await this.#parts.file.truncate(0);
  }

  #forget(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#places.clear();
    this.#keptBytes = 0;
    this.#position = 0;
    this.#beganAtMs = undefined;
    this.#isBegun = false;
  }

  /** A disk that fails or is full ends the keeping: the pull itself says so if it matters. */
  async #try(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      this.#keeps = false;
      this.#forget();
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
