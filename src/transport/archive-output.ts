import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder, temporaryNameBeside } from '../base/atomic-file.js';
import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { explainWriteError } from './explain-write-error.js';

/** Where the bytes of an archive go. */
export interface ArchiveTarget extends AsyncDisposable {
  /** For messages. */
  readonly place: string;
  write(bytes: Uint8Array): Promise<void>;
  /** All bytes were written: makes the archive visible, or hands it over. */
  finish(): Promise<void>;
}

/** A file that does not exist yet, and does not before it is whole. */
export class ArchiveFile implements ArchiveTarget {
  readonly place: string;
  readonly #temporary: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.place = path;
    this.#temporary = temporaryNameBeside(path);
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await this.#create();
      for (let done = 0; done < bytes.length;) {
        done += (await this.#file.write(bytes, done)).bytesWritten;
      }
    } catch (error) {
      throw explainWriteError(this.place, error);
    }
  }

  async finish(): Promise<void> {
    if (this.#file === undefined) throw new Error('internal error: an archive of nothing');
    await this.#file.sync();
    await this.#file.close();
    this.#file = undefined;
    await rename(this.#temporary, this.place);
    await syncFolder(dirname(this.place));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    await file.close();
    await unlink(this.#temporary);
  }

  /** An archive cannot be added to without writing all of it again, and is not replaced unasked. */
  async #create(): Promise<FileHandle> {
    try {
      await (await open(this.place, 'r')).close();
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return await open(this.#temporary, 'wx', 0o644);
      throw error;
    }
    throw new OperationalError(
      'DESTINATION_EXISTS',
      `${quote(this.place)} is there already, refusing to replace it`,
      { hint: 'remove it first, or write to another name' },
    );
  }
}
