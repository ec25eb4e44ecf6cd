import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import { quote } from './escape-text.js';
import { whenDone } from './quick-files.js';

/** Options of {@link readFileBounded}. */
export interface BoundedReadOptions {
  /** Largest content in bytes that is accepted. */
  readonly maxBytes: number;
  /** Looks at the file that is open, before it is read; what it throws passes. */
  readonly check?: (stats: Stats) => void;
}

/**
 * Reads a regular file of the host up to a limit. Never blocks on a FIFO or device, and never reads more than 64 KiB beyond
 * `maxBytes`, whatever the file's size claims.
 *
 * @throws {@link OperationalError} LIMIT_EXCEEDED if it is larger; errno errors of open and read pass
 */
export function readFileBounded(path: string, options: BoundedReadOptions): Promise<Buffer> {
  return whenDone(() => read(path, { ...options, endsShort: false }));
}

/**
 * The same, as a value. For files on a disk: those of the kernel give less than was asked for before their end.
 *
 * @throws as {@link readFileBounded}
 */
export function readFileBoundedNow(path: string, options: BoundedReadOptions): Buffer {
  return read(path, { ...options, endsShort: true });
}

/** At once: waiting for five calls takes a hundred times as long as making them. */
function read(path: string, options: BoundedReadOptions & { readonly endsShort: boolean }): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw notRegular(path);
    options.check?.(stats);
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const length = readSync(fd, scratch, 0, scratch.length, null);
      total += length;
      if (total > options.maxBytes) throw tooLarge(path, options);
      chunks.push(Buffer.from(scratch.subarray(0, length)));
      const isEnd = options.endsShort ? length < scratch.length : length === 0;
      if (isEnd) return Buffer.concat(chunks, total);
    }
  } finally {
    closeSync(fd);
  }
}

/** What files are read into, one after the other. */
const scratch = Buffer.allocUnsafeSlow(65_536);

function notRegular(path: string): OperationalError {
  return new OperationalError('LIMIT_EXCEEDED', `${quote(path)} is not a regular file`);
}

function tooLarge(path: string, { maxBytes }: BoundedReadOptions): OperationalError {
  return new OperationalError(
    'LIMIT_EXCEEDED',
    `${quote(path)} is larger than ${maxBytes} bytes, refusing to read it`,
  );
}
