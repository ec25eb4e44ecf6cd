import type { BlobOptions, BlobStream } from './image-source.js';

/**
 * The files that an image is kept in: those of a folder, or the members of an archive. Paths are relative, made by berth or
 * checked by the caller, and never lead out.
 */
export interface ImageFiles extends AsyncDisposable {
  /** For messages: the path of the folder or archive. */
  readonly place: string;

  /**
   * Reads a file whole.
   *
   * @throws OperationalError IMAGE_NOT_FOUND, LIMIT_EXCEEDED, CONTENT_MISMATCH for what is no regular file
   */
  readFile(path: string, maxBytes: number): Promise<Buffer>;

  /**
   * Bytes of a file, read while they are taken.
   *
   * @throws OperationalError IMAGE_NOT_FOUND, CONTENT_MISMATCH for what is no regular file
   */
  openFile(path: string, options: Pick<BlobOptions, 'signal' | 'lend'>): Promise<BlobStream>;

  /** Size of a file in bytes, and its first bytes, at most `count`. */
  probeFile(
    path: string,
    count: number,
  ): Promise<{ readonly size: number; readonly start: Buffer }>;
}

/** How much is read at once, in bytes. */
export const READ_BYTES = 1024 * 1024;
