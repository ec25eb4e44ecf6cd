import { open, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { temporaryNameBeside } from '../base/atomic-file.js';
import { isErrno } from '../errors/is-errno.js';
import { explainWriteError } from './explain-write-error.js';

/** Pieces of a network are small: a write for each of them is a way through the thread pool each. */
const GATHERED_BYTES = 512 * 1024;

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

/** While one batch is written, the next one is taken in, and hashed by whoever gives it. */
async function writeGathered(
  file: FileHandle,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    writing = writeBatch(file, batch);
    writing.catch(() => undefined); // looked at above or below; not left unhandled while the source is waited for
    batch = [];
    bytes = 0;
  };
  try {
    for await (const piece of content) {
      signal.throwIfAborted();
      batch.push(piece);
      bytes += piece.length;
      if (bytes >= GATHERED_BYTES) await flush();
    }
    if (bytes > 0) await flush();
  } finally {
    // The file is closed next: nothing may be on its way there, whatever failed first.
    await writing.catch(() => undefined);
  }
  await writing;
}

async function writeBatch(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let { bytesWritten } = await file.writev([...pieces]);
  if (bytesWritten === total) return;
  const rest = Buffer.concat(pieces);
  while (bytesWritten < total) {
    bytesWritten += (await file.write(rest, bytesWritten)).bytesWritten;
  }
}
