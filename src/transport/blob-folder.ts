import { open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { temporaryNameBeside } from '../base/atomic-file.js';
import { isErrno } from '../errors/is-errno.js';
import { explainWriteError } from './explain-write-error.js';

/** Pieces of a network are small: a write for each of them is a way through the thread pool each. */
const GATHERED_BYTES = 512 * 1024;

/** Pieces that are written as they are. */
const LARGE_PIECE_BYTES = 128 * 1024;

/** Writes files into a folder so that each is there whole or not at all. */
export class BlobFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether a regular file of this size is there. */
  async has(name: string, size: number): Promise<boolean> {
    try {
      const found = await stat(join(this.#path, name));
      return found.isFile() && found.size === size;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  /** Writes a file, synced; what throws in the middle leaves nothing. */
  async write(
    name: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const path = join(this.#path, name);
    const temporary = temporaryNameBeside(path);
    try {
      await makeFolders(dirname(path));
      const file = await open(temporary, 'wx', 0o644);
      try {
        await writeGathered(file, content, signal);
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined); // too late to care: the first error is what counts
      throw explainWriteError(this.#path, error);
    }
  }
}

/** Pieces are done with when the next one is asked for: they may be lent. */
async function writeGathered(
  file: FileHandle,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let batch: Buffer | undefined;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch !== undefined) await writeAll(file, batch.subarray(0, bytes));
    bytes = 0;
  };
  for await (const piece of content) {
    signal.throwIfAborted();
    if (bytes + piece.length > GATHERED_BYTES) await flush();
    if (piece.length >= LARGE_PIECE_BYTES) {
      await flush();
      await writeAll(file, piece);
      continue;
    }
    batch ??= Buffer.allocUnsafeSlow(GATHERED_BYTES);
    batch.set(piece, bytes);
    bytes += piece.length;
  }
  await flush();
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written)).bytesWritten;
  }
}
