import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { openBlobStream } from './blob-stream.js';
import type { ImageFiles } from './image-files.js';
import type { BlobOptions, BlobStream } from './image-source.js';
import { readPieces } from './read-pieces.js';

/**
 * The files of a folder. Only regular ones are read; a pipe in their place does not make berth wait. Links are followed inside the
 * folder only: one on a USB stick that leads to a file of the host would have it read, or its digest told, by whoever runs berth.
 */
export class FolderFiles implements ImageFiles {
  readonly place: string;
  #realPlace: string | undefined;

  constructor(path: string) {
    this.place = path;
  }

  async readFile(path: string, maxBytes: number): Promise<Buffer> {
    const whole = join(this.place, path);
    const file = await this.#open(path);
    try {
      const buffer = Buffer.alloc(Math.min((await file.stat()).size, maxBytes) + 1);
      let total = 0;
      while (total < buffer.length) {
        const { bytesRead } = await file.read(buffer, total, buffer.length - total, total);
        if (bytesRead === 0) return buffer.subarray(0, total);
        total += bytesRead;
      }
    } catch (error) {
      throw explainFileError(whole, error);
    } finally {
      await file.close();
    }
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${quote(whole)} is larger than ${maxBytes} bytes, refusing to read it`,
    );
  }

  async openFile(
    path: string,
    { signal, lend }: Pick<BlobOptions, 'signal' | 'lend'>,
  ): Promise<BlobStream> {
    const file = await this.#open(path);
    return openBlobStream(signal, async function* (stop) {
      try {
        yield* readPieces(file, { offset: 0 }, { signal: stop, lend });
      } finally {
        await file.close();
      }
    });
  }

  async probeFile(path: string, count: number): Promise<{ size: number; start: Buffer }> {
    const file = await this.#open(path);
    try {
      const { size } = await file.stat();
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(count), position: 0 });
      return { size, start: buffer.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Files are open only while they are read.
  }

  async #open(path: string): Promise<FileHandle> {
    const whole = join(this.place, path);
    let file: FileHandle | undefined;
    try {
      file = await open(whole, constants.O_RDONLY | constants.O_NONBLOCK);
      const problem = await this.#findProblem(file);
      if (problem === undefined) return file;
      throw new OperationalError('CONTENT_MISMATCH', `${quote(whole)} ${problem}`);
    } catch (error) {
      await file?.close();
      throw explainFileError(whole, error);
    }
  }

  /** Where the file really is, is asked of the open file: nothing can be swapped in between. */
  async #findProblem(file: FileHandle): Promise<string | undefined> {
    if (!(await file.stat()).isFile()) return 'is not a regular file';
    this.#realPlace ??= await realpath(this.place);
    const real = await readlink(`/proc/self/fd/${file.fd}`);
    const above = this.#realPlace === '/' ? '/' : `${this.#realPlace}/`;
    return real.startsWith(above) ? undefined : 'is a link that leads out of the folder';
  }
}

/** A failure to read a file that a user named, in words. */
export function explainFileError(path: string, error: unknown): unknown {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) {
    return new OperationalError('IMAGE_NOT_FOUND', `there is no ${quote(path)}`, { cause: error });
  }
  if (isErrno(error, 'EACCES', 'EPERM', 'EIO', 'ENXIO', 'EISDIR')) {
    return new OperationalError('IMAGE_NOT_FOUND', `cannot read ${quote(path)}`, { cause: error });
  }
  return error;
}
