import { createHash } from 'node:crypto';

import { OstreeInputError } from './errors.js';
import { callAside, callForPointer, callSync, type AsyncOptions } from './ffi/call.js';
import { native, type Pointer } from './ffi/library.js';
import { cString, filledSlot, readString, slot, takeString } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { FileWriter } from './file-writer.js';
import {
  directoryMetadataType,
  encodeDirectoryMetadata,
  encodeFileHeader,
  type DirectoryMetadata,
  type FileHeader,
  type RegularFile,
} from './file-header.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { dictData, type VariantDict } from './gvariant/value.js';
import { nameMutableTree, writeMutableTree, type MutableTree } from './mutable-tree.js';
import {
  checksumArgument,
  objectTypes,
  parseChecksum,
  refArgument,
  remoteArgument,
  uint31,
  type Checksum,
} from './object-name.js';
import type { Repo } from './repo.js';
import { readTransactionStats, STATS_BYTES, type TransactionStats } from './transaction-stats.js';
import { encodeTree, treeType, type TreeChecksums, type TreeEntries } from './tree.js';

/** What a commit is made of. */
export interface NewCommit {
  readonly tree: TreeChecksums;
  readonly parent?: Checksum | undefined;
  readonly subject?: string | undefined;
  readonly body?: string | undefined;
  readonly metadata?: VariantDict | undefined;
  /** Whole seconds since the epoch. */
  readonly timestampSeconds: number;
}

/** A content object whose checksum was computed by {@link createFileHash} over all of its content. */
export interface HashedFile {
  readonly header: FileHeader;
  readonly checksum: Checksum;
  /** The content, in pieces that must not change until the call is over. */
  readonly chunks: readonly Uint8Array[];
}

/** A content object as a stream, on the disk. */
export interface ObjectStream {
  readonly checksum: Checksum;
  /** Stands before the bytes of `encodeFileHeader` and the content, in a file or a pipe. Read until the call is over. */
  readonly fd: number;
  /** Of both, in bytes. */
  readonly length: number;
}

/** The most that one call is given: `gssize` of 32-bit machines. */
const MAX_CHUNK_BYTES = 0x7fff_ffff;
/** OSTREE_MAX_METADATA_SIZE: libostree refuses to read larger ones, 2022.7 without refusing to write them. */
const MAX_METADATA_BYTES = 10 * 1024 * 1024;

/**
 * An open transaction: objects are written beside the repository's own, and come in together with the refs when it is
 * committed. Dispose of it: what was not committed is removed.
 */
export class Transaction implements AsyncDisposable {
  readonly #repo: Repo;
  readonly #handle: NativeObject;
  readonly #end: () => void;
  #isOpen = true;
  readonly #writes = new Set<Promise<unknown>>();
  readonly #writers = new Set<FileWriter>();

  /** Use {@link beginTransaction}. */
  constructor(repo: Repo, { handle, end }: { handle: NativeObject; end: () => void }) {
    this.#repo = repo;
    this.#handle = handle;
    this.#end = end;
  }

  /** Whether it was neither committed nor aborted. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Writes a content object, in this thread: the way for many small ones. The checksum is computed here.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  writeFile(header: FileHeader, content: Uint8Array): Checksum {
    const start = encodeFileHeader(header);
    this.#checkXattrs(header);
    if (header.kind === 'symlink' && content.length > 0) {
      throw new OstreeInputError('a symbolic link has no content');
    }
    const digest = createHash('sha256').update(start).update(content).digest('hex');
    const checksum = parseChecksum(digest);
    using stream = memoryStream([start, content]);
    callSync(
      'ostree_repo_write_content',
      this.#pointer,
      checksumArgument(checksum),
      stream.pointer,
      start.length + content.length,
      null,
      null,
    );
    return checksum;
  }

  /**
   * Writes a content object, in another thread. The checksum is taken as it is: it must be that of this content
   * ({@link createFileHash}), or the repository is damaged. Nothing is read or written if the object is there already.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  async writeHashedFile(file: HashedFile, options: AsyncOptions = {}): Promise<void> {
    const chunks = [encodeFileHeader(file.header), ...file.chunks];
    this.#checkXattrs(file.header);
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const argument = checksumArgument(file.checksum);
    await this.whileWriting(async (pointer) => {
      using stream = memoryStream(chunks);
      await callAside(
        'ostree_repo_write_content',
        [pointer, argument, stream.pointer, length, null],
        // The stream has only the addresses of them.
        { ...options, holding: chunks },
      );
    });
  }

  /**
   * As {@link Transaction.writeHashedFile}, for what is too large for memory: checksum and length are taken as they are too.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  async writeObjectStream(object: ObjectStream, options: AsyncOptions = {}): Promise<void> {
    const { checksum, length } = object;
    if (!Number.isSafeInteger(length) || length < 0)
      throw new OstreeInputError('length is no length');
    const argument = checksumArgument(checksum);
    const fd = uint31(object.fd, 'file descriptor');
    await this.whileWriting(async (pointer) => {
      // (transfer full); the descriptor stays the caller's.
      using stream = new NativeObject(callForPointer('g_unix_input_stream_new', fd, 0), 'a stream');
      const args = [pointer, argument, stream.pointer, length, null];
      await callAside('ostree_repo_write_content', args, options);
    });
  }

  /**
   * Begins a content object whose content comes in pieces; not in `archive` repositories, for which libostree has no such way.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  openFileWriter(header: RegularFile, size: number): FileWriter {
    if (!Number.isSafeInteger(size) || size < 0) throw new OstreeInputError('size is no size');
    if (this.#repo.mode === 'archive') {
      throw new OstreeInputError('an archive repository takes files in one piece');
    }
    this.#checkXattrs(header);
    const writer: FileWriter = new FileWriter(this.#pointer, {
      header,
      size,
      end: () => this.#writers.delete(writer),
    });
    this.#writers.add(writer);
    return writer;
  }

  /** Writes a dirmeta object. */
  writeDirectoryMetadata(metadata: DirectoryMetadata): Checksum {
    return this.#writeMetadata('dirmeta', directoryMetadataType, encodeDirectoryMetadata(metadata));
  }

  /**
   * Writes a dirtree object. What it names should be there; libostree does not look.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  writeTree(entries: TreeEntries): Checksum {
    return this.#writeMetadata('dirtree', treeType, encodeTree(entries));
  }

  /**
   * Writes a tree that was put together in memory: what is new or changed of it.
   *
   * @throws {@link OstreeError}, also for a directory without metadata
   */
  async writeMutableTree(tree: MutableTree, options: AsyncOptions = {}): Promise<TreeChecksums> {
    return this.whileWriting(async () => {
      using root = await writeMutableTree(this.#repo, tree, options);
      return treeChecksumsOf(root);
    });
  }

  /**
   * Writes a commit. What it names should be there; libostree does not look.
   *
   * @throws {@link OstreeError}, {@link OstreeInputError}
   */
  async writeCommit(commit: NewCommit, options: AsyncOptions = {}): Promise<Checksum> {
    if (!Number.isSafeInteger(commit.timestampSeconds) || commit.timestampSeconds < 0) {
      throw new OstreeInputError('timestamp is not a number of seconds');
    }
    const parent = commit.parent === undefined ? null : checksumArgument(commit.parent);
    const subject = cString(commit.subject ?? '', 'subject');
    const body = cString(commit.body ?? '', 'body');
    using metadata = NativeVariant.of({
      type: 'a{sv}',
      value: dictData(commit.metadata ?? new Map()),
    });
    if (subject.length + body.length + metadata.bytes().length > MAX_METADATA_BYTES) {
      throw new OstreeInputError('commit is too large');
    }
    const out = slot();
    // Awaited here: the metadata is given back when this returns.
    return await this.whileWriting(async (pointer) => {
      using tree = nameMutableTree(this.#repo, commit.tree);
      using root = await writeMutableTree(this.#repo, tree, options);
      await callAside(
        'ostree_repo_write_commit_with_time',
        [
          pointer,
          parent,
          subject,
          body,
          metadata.pointer,
          root.pointer,
          commit.timestampSeconds,
          out,
        ],
        options,
      );
      // (transfer full)
      return parseChecksum(takeString(filledSlot(out)));
    });
  }

  /**
   * Makes a ref mean a commit when the transaction is committed; undefined removes the ref then.
   *
   * @throws {@link OstreeInputError}
   */
  setRef(ref: string, checksum: Checksum | undefined, remote?: string): void {
    native().ostree_repo_transaction_set_ref(
      this.#pointer,
      remote === undefined ? null : remoteArgument(remote),
      refArgument(ref),
      checksum === undefined ? null : checksumArgument(checksum),
    );
  }

  /**
   * Commits: objects, then refs, durable when it returns unless the repository does not sync. After a failure the
   * transaction is still open, to be disposed of.
   *
   * @throws {@link OstreeError}; Error while something is still being written
   */
  async commit(options: AsyncOptions = {}): Promise<TransactionStats> {
    if (this.#writes.size + this.#writers.size > 0)
      throw new Error('a transaction is committed while it is written to');
    const stats = Buffer.alloc(STATS_BYTES);
    await this.whileWriting((pointer) =>
      callAside('ostree_repo_commit_transaction', [pointer, stats], options),
    );
    this.#close();
    return readTransactionStats(stats);
  }

  /** Removes what was written, after writes that are under way are over. Does nothing after {@link Transaction.commit}. */
  async abort(): Promise<void> {
    if (!this.#isOpen) return;
    for (const writer of this.#writers) writer[Symbol.dispose]();
    await Promise.allSettled(this.#writes);
    // Somebody else may have closed it meanwhile.
    if (!this.isOpen) return;
    try {
      await this.whileWriting((pointer) => callAside('ostree_repo_abort_transaction', [pointer]));
    } finally {
      this.#close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  /**
   * libostree passes over attributes without a value when it reads files, so in a `bare` repository, which keeps them as
   * they are, such an object would be damaged from the start.
   */
  #checkXattrs({ xattrs }: FileHeader): void {
    if (this.#repo.mode === 'bare' && xattrs.some(([, value]) => value.length === 0)) {
      throw new OstreeInputError(
        'a bare repository cannot keep extended attributes without a value',
      );
    }
  }

  /** Runs `body`, which gets the address of the `OstreeRepo`; the transaction can neither be committed nor aborted meanwhile. */
  async whileWriting<Result>(body: (pointer: Pointer) => Promise<Result>): Promise<Result> {
    const writing = body(this.#pointer);
    this.#writes.add(writing);
    try {
      return await writing;
    } finally {
      this.#writes.delete(writing);
    }
  }

  get #pointer(): Pointer {
    if (!this.#isOpen) throw new Error('a transaction is used after it was closed');
    return this.#handle.pointer;
  }

  #close(): void {
    this.#isOpen = false;
    this.#handle[Symbol.dispose]();
    this.#end();
  }

  #writeMetadata(type: 'dirtree' | 'dirmeta', variantType: string, bytes: Buffer): Checksum {
    if (bytes.length > MAX_METADATA_BYTES) throw new OstreeInputError(`${type} is too large`);
    const checksum = parseChecksum(createHash('sha256').update(bytes).digest('hex'));
    using variant = NativeVariant.ofBytes(variantType, bytes);
    callSync(
      'ostree_repo_write_metadata',
      this.#pointer,
      objectTypes[type],
      checksumArgument(checksum),
      variant.pointer,
      null,
      null,
    );
    return checksum;
  }
}

/**
 * Begins a transaction. Waits while another process holds the repository's lock exclusively (at most 30 s, unless its
 * configuration says otherwise). Something that an interrupted transaction left behind is removed.
 *
 * @throws {@link OstreeError}
 */
export async function beginTransaction(
  repo: Repo,
  options: AsyncOptions = {},
): Promise<Transaction> {
  const handle = repo.handle.share();
  const end = repo.beginTransacting();
  try {
    await callAside('ostree_repo_prepare_transaction', [handle.pointer, slot()], options);
    return new Transaction(repo, { handle, end });
  } catch (error) {
    end();
    handle[Symbol.dispose]();
    throw error;
  }
}

/** The checksums of a root that a tree was written to. */
function treeChecksumsOf(root: NativeObject): TreeChecksums {
  const call = native();
  // (transfer none), both
  const contents = call.ostree_repo_file_tree_get_contents_checksum(root.pointer);
  const metadata = call.ostree_repo_file_tree_get_metadata_checksum(root.pointer);
  if (contents === null || metadata === null)
    throw new Error('internal error: tree was not written');
  return {
    contents: parseChecksum(readString(contents)),
    metadata: parseChecksum(readString(metadata)),
  };
}

function memoryStream(chunks: readonly Uint8Array[]): NativeObject {
  const call = native();
  const pointer = call.g_memory_input_stream_new();
  if (pointer === null) throw new Error('internal error: no stream');
  const stream = new NativeObject(pointer, 'a stream');
  for (const chunk of chunks) {
    if (chunk.length > MAX_CHUNK_BYTES) {
      stream[Symbol.dispose]();
      throw new OstreeInputError('chunk is too large');
    }
    // (transfer none): no function frees it.
    if (chunk.length > 0) {
      call.g_memory_input_stream_add_data(stream.pointer, chunk, chunk.length, null);
    }
  }
  return stream;
}
