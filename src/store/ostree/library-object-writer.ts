import type { Hash } from 'node:crypto';

import {
  createFileHash,
  parseChecksum,
  type Checksum,
  type FileWriter,
  type RegularFile,
  type Transaction,
} from '../../../ostree-adapter/index.js';
import type { FileNode, NodeMeta } from '../../layer/tree.js';
import type { ComingFile, ContentTaker } from '../layer-collector.js';
import { TempArea } from '../temp-area.js';
import type { RepositoryPlace } from './repository-place.js';
import { SpooledFile } from './spooled-file.js';
import { xattrsOf } from './write-layer-tree.js';

/** What may wait in memory for other threads to write it. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/**
 * Larger files are not kept in memory, however large: they go to libostree as they come, which hashes them itself, and takes
 * four times as long for that. For archive repositories it has no such way: there they wait on the disk.
 */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Takes in the contents of the files of a layer. */
export interface RepositoryObjectWriter extends ContentTaker, AsyncDisposable {
  /** Makes objects of all that was taken in; durable with the transaction. @throws what writing threw */
  publish(): Promise<void>;
}

/**
 * Takes in the content of files and has libostree make content objects of it. What arrives in one piece is written at once; what arrives
 * in several is hashed as it comes and written by another thread, while the next ones arrive.
 */
export class LibraryObjectWriter implements RepositoryObjectWriter {
  readonly #transaction: Transaction;
  readonly #place: RepositoryPlace;
  #area: TempArea | undefined;
  #current: CurrentFile | undefined;
  readonly #pending = new Set<Promise<void>>();
  #pendingBytes = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(transaction: Transaction, place: RepositoryPlace) {
    this.#transaction = transaction;
    this.#place = place;
  }

  begin({ meta, size }: ComingFile): void {
    const { mode, uid, gid } = meta;
    const header: RegularFile = { kind: 'file', mode, uid, gid, xattrs: xattrsOf(meta) };
    this.#current = { meta, size, header, taken: 0, whole: undefined };
  }

  write(chunk: Uint8Array): void {
    const file = this.#file();
    file.taken += chunk.length;
    if (file.taken === file.size && file.taken === chunk.length) {
      file.whole = this.#transaction.writeFile(file.header, chunk);
      return;
    }
    if (file.size > MAX_KEPT_BYTES) {
      file.large ??= this.#beginLarge(file);
      file.large.write(chunk);
      return;
    }
    file.parts ??= { hash: createFileHash(file.header), chunks: [] };
    file.parts.hash.update(chunk);
    file.parts.chunks.push(Buffer.from(chunk));
  }

  /** The node has the object's name in the place of the content's digest. */
  end(): FileNode {
    const file = this.#file();
    this.#current = undefined;
    if (file.taken !== file.size) throw new Error('internal error: a file of another size');
    const { meta, size, header } = file;
    const contentSha256 =
      this.#finish(file) ?? this.#transaction.writeFile(header, Buffer.alloc(0));
    return { kind: 'file', meta, size, contentSha256 };
  }

  /** @throws what writing threw */
  async ready(): Promise<void> {
    while (this.#pendingBytes > MAX_PENDING_BYTES) await Promise.race(this.#pending);
    this.#rethrow();
  }

  /** Files that wait in memory go on doing so. @throws what writing threw */
  drain(): Promise<void> {
    return this.ready();
  }

  async publish(): Promise<void> {
    await Promise.all(this.#pending);
    this.#rethrow();
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pending); // none of them is ever rejected
    if (this.#current?.large instanceof SpooledFile) this.#current.large[Symbol.dispose]();
    this.#current = undefined;
    this.#area?.[Symbol.dispose]();
  }

  #beginLarge({ header, size }: CurrentFile): FileWriter | SpooledFile {
    if (this.#place.mode !== 'archive') return this.#transaction.openFileWriter(header, size);
    this.#area ??= new TempArea(this.#place.tempPath);
    return new SpooledFile(this.#area, header);
  }

  /** The object of the file; undefined if nothing has come. */
  #finish({ header, size, whole, parts, large }: CurrentFile): Checksum | undefined {
    if (parts !== undefined) {
      const { hash, chunks } = parts;
      const checksum = parseChecksum(hash.digest('hex'));
      this.#writeAside(size, this.#transaction.writeHashedFile({ header, checksum, chunks }));
      return checksum;
    }
    if (!(large instanceof SpooledFile)) return large?.finish() ?? whole;
    const stream = large.finish();
    const writing = this.#transaction.writeObjectStream(stream).finally(() => {
      large[Symbol.dispose]();
    });
    this.#writeAside(size, writing);
    return stream.checksum;
  }

  #writeAside(size: number, begun: Promise<void>): void {
    this.#pendingBytes += size;
    const writing = begun.then(
      () => undefined,
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    const settled = writing.finally(() => {
      this.#pendingBytes -= size;
      this.#pending.delete(settled);
    });
    this.#pending.add(settled);
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #file(): CurrentFile {
    if (this.#current === undefined) throw new Error('internal error: content without a file');
    return this.#current;
  }
}

/** What of a file has arrived in several pieces. */
interface FileParts {
  readonly hash: Hash;
  readonly chunks: Buffer[];
}

/** The file whose content is arriving. */
interface CurrentFile {
  readonly meta: NodeMeta;
  readonly size: number;
  readonly header: RegularFile;
  taken: number;
  /** Its object, if it came in one piece. */
  whole: Checksum | undefined;
  /** If it came in several, which are kept until all are there. */
  parts?: FileParts;
  /** If it is too large for that. */
  large?: FileWriter | SpooledFile;
}
