import { OperationalError } from '../errors/operational-error.js';
import type { FileNode } from '../layer/tree.js';
import type { At } from '../sys/libc.js';
import type { AtBytes } from '../sys/link-bytes.js';
import type { RecordedFile } from './record-cursor.js';

/** Where a checkout has the content of its files from: the objects of a store. */
export interface FileContents {
  /**
   * Makes the file by giving an object that is exactly like it a further name; false where that cannot be, and the content
   * has to be copied.
   *
   * @throws `OperationalError` STORE_INVALID if there is no object
   */
  link(node: FileNode, at: At): boolean;
  /** {@link FileContents.link} for a file that no node was made of; false wherever that has to be asked. */
  linkRecorded?(file: RecordedFile, at: AtBytes): boolean;
  /** Another thread that links, where there is one at hand. */
  aside?(): LinksAside | undefined;
  /**
   * Writes the content into an open, empty file; how many bytes had to be written, which is none where blocks are shared.
   *
   * @throws `OperationalError` STORE_INVALID if there is no object
   */
  copy(node: FileNode, to: number): number;
}

/** Links that another thread makes, by the batch. */
export interface LinksAside {
  /** Adds a link to the batch, as {@link FileContents.link} makes it; false where the batch is full, or the name too long. */
  add(node: FileNode, at: At): boolean;
  /**
   * Has the links of the batch made, and begins the next one. How many were made, in the order in which they were added: those from
   * the first on that could not be are left to the caller. Batches are answered in their order.
   *
   * @throws where the thread has failed, which touches nothing any more then
   */
  make(): Promise<number>;
}

/** What to throw where the content of a file has gone; `object` is its name in the store. */
export function objectMissing(object: string): OperationalError {
  return new OperationalError(
    'STORE_INVALID',
    `the store has lost the content ${object} of the image`,
    {
      hint: 'pull the image again',
    },
  );
}
