import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';

/** Options of {@link readFileBounded}. */
export interface BoundedReadOptions {
  /** Largest content in bytes that is accepted. */
  readonly maxBytes: number;
}

/**
 * Reads a regular file of the host up to a limit. Never blocks on a FIFO or device, and never reads more than
 * `maxBytes + 1` bytes, whatever the file's size claims.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED if it is larger; errno errors of open and read pass
 */
export async function readFileBounded(path: string, options: BoundedReadOptions): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) {
      throw new OperationalError('LIMIT_EXCEEDED', `${quote(path)} is not a regular file`);
    }
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.allocUnsafe(Math.min(65_536, options.maxBytes + 1 - total)),
      });
      if (bytesRead === 0) return Buffer.concat(chunks, total);
      total += bytesRead;
      if (total > options.maxBytes) {
        throw new OperationalError(
          'LIMIT_EXCEEDED',
          `${quote(path)} is larger than ${options.maxBytes} bytes, refusing to read it`,
        );
      }
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
