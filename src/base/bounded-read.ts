import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';

/** Options of {@link readFileBounded}. */
export interface BoundedReadOptions {
  /** Largest content in bytes that is accepted. */
  readonly maxBytes: number;
  /** Looks at the file that is open, before it is read; what it throws passes. */
  readonly check?: (stats: Stats) => void;
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
    const stats = await file.stat();
    if (!stats.isFile()) throw notRegular(path);
    options.check?.(stats);
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const { bytesRead, buffer } = await file.read({
        buffer: Buffer.allocUnsafe(Math.min(65_536, options.maxBytes + 1 - total)),
      });
      if (bytesRead === 0) return Buffer.concat(chunks, total);
      total += bytesRead;
      if (total > options.maxBytes) throw tooLarge(path, options);
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/**
 * The same, at once. For small files of which there are many: waiting for five calls takes five times as long as making them, and
 * nothing else is to be done meanwhile.
 *
 * @throws as {@link readFileBounded}
 */
export function readFileBoundedNow(
  path: string,
  options: Omit<BoundedReadOptions, 'check'>,
): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw notRegular(path);
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const length = readSync(fd, scratch, 0, scratch.length, null);
      total += length;
      if (total > options.maxBytes) throw tooLarge(path, options);
      chunks.push(Buffer.from(scratch.subarray(0, length)));
      // Less than was asked for is the end of a regular file.
      if (length < scratch.length) return Buffer.concat(chunks, total);
    }
  } finally {
    closeSync(fd);
  }
}

/** What small files are read into, one after the other. */
const scratch = Buffer.allocUnsafeSlow(65_536);

function notRegular(path: string): OperationalError {
  return new OperationalError('LIMIT_EXCEEDED', `${quote(path)} is not a regular file`);
}

function tooLarge(
  path: string,
  { maxBytes }: Pick<BoundedReadOptions, 'maxBytes'>,
): OperationalError {
  return new OperationalError(
    'LIMIT_EXCEEDED',
    `${quote(path)} is larger than ${maxBytes} bytes, refusing to read it`,
  );
}
