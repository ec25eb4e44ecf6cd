import { mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { temporaryNameBeside } from '../base/atomic-file.js';
import { isErrno } from '../errors/is-errno.js';

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
    await mkdir(dirname(path), { recursive: true });
    const temporary = temporaryNameBeside(path);
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        for await (const piece of content) {
          signal.throwIfAborted();
          for (let done = 0; done < piece.length;) {
            done += (await file.write(piece, done)).bytesWritten;
          }
        }
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined); // too late to care: the first error is what counts
      throw error;
    }
  }
}
