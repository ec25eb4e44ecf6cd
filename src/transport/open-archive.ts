import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { explainFileError } from './folder-files.js';
import { READ_BYTES } from './image-files.js';

/** Most bytes that are put aside for one archive: larger than any image, and a bound on what one gzip file can fill. */
const MAX_SPOOLED_BYTES = 256 * 1024 ** 3;

/** Most that a compressed archive of images may grow: its layers are tars, and those stay below 200 themselves. */
const MAX_RATIO = 1000;

/** Where {@link openArchive} puts what it has to put aside. */
export interface SpoolOptions {
  readonly spoolDirectory: string;
  readonly signal: AbortSignal;
}

/**
 * Opens an archive of images as a file that can be read in any place. One that stands on a disk is read where it is. A pipe, or
 * an archive that is compressed as a whole, cannot be: what the image consists of often stands at its end. It is put aside in a
 * file without a name, which is gone with the handle.
 *
 * @throws OperationalError IMAGE_NOT_FOUND, MANIFEST_UNSUPPORTED, LAYER_COMPRESSION_INVALID, LIMIT_EXCEEDED, DISK_FULL
 */
export async function openArchive(path: string, options: SpoolOptions): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    throw explainFileError(path, error);
  }
  const stat = await file.stat();
  if (stat.isFile()) return await asItStands(file, path, options);
  try {
    if (!stat.isFIFO() && !stat.isSocket()) {
      throw new OperationalError('IMAGE_NOT_FOUND', `${quote(path)} is not an archive`);
    }
    const spooled = await spool(readPieces(file, undefined), { ...options, what: quote(path) });
    return await asItStands(spooled, path, options);
  } finally {
    await file.close();
  }
}

/** The file itself, or what is in it where it is compressed; then the file is closed. */
async function asItStands(
  file: FileHandle,
  path: string,
  options: SpoolOptions,
): Promise<FileHandle> {
  let isKept = false;
  try {
    const { size } = await file.stat();
    const start = (await file.read({ buffer: Buffer.alloc(6), position: 0 })).buffer;
    if (start[0] === 0x1f && start[1] === 0x8b) {
      const maxBytes = Math.min(MAX_SPOOLED_BYTES, size * MAX_RATIO);
      const what = quote(path);
      return await spool(gunzip(readPieces(file, 0), path), { ...options, what, maxBytes });
    }
    refuseForeign(start, path);
    isKept = true;
    return file;
  } finally {
    if (!isKept) await file.close();
  }
}

/**
 * Puts bytes aside in a file without a name.
 *
 * @throws OperationalError LIMIT_EXCEEDED, DISK_FULL; what the source throws
 */
export async function spool(
  pieces: AsyncIterable<Uint8Array>,
  options: SpoolOptions & { readonly what: string; readonly maxBytes?: number },
): Promise<FileHandle> {
  const { spoolDirectory, signal, what, maxBytes = MAX_SPOOLED_BYTES } = options;
  // __O_TMPFILE and O_DIRECTORY of Linux; Node has no name for it.
  const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY;
  try {
    const file = await open(spoolDirectory, O_TMPFILE | constants.O_RDWR, 0o600);
    try {
      let total = 0;
      for await (const piece of pieces) {
        signal.throwIfAborted();
        total += piece.length;
        if (total > maxBytes) {
          throw new OperationalError(
            'LIMIT_EXCEEDED',
            `${what} comes to more than ${maxBytes} bytes, refusing it`,
          );
        }
        await writeWhole(file, piece);
      }
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) throw error;
    throw new OperationalError(
      'DISK_FULL',
      `no space is left in ${quote(spoolDirectory)}, where ${what} has to be put aside`,
      { cause: error, hint: 'set TMPDIR to a folder with more space' },
    );
  }
}

async function writeWhole(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.length;) {
    done += (await file.write(piece, done)).bytesWritten;
  }
}

async function* readPieces(
  file: FileHandle,
  from: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = from;
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position ?? null);
    if (bytesRead === 0) return;
    if (position !== undefined) position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* gunzip(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createGunzip({ chunkSize: READ_BYTES });
  // What goes wrong comes out below: a pipeline destroys its last stream with the error of the first.
  pipeline(Readable.from(pieces), stream, () => undefined);
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) yield piece;
  } catch (cause) {
    if (!isErrno(cause, 'Z_DATA_ERROR', 'Z_BUF_ERROR')) throw cause;
    throw new OperationalError(
      'LAYER_COMPRESSION_INVALID',
      `the gzip data of ${quote(path)} is damaged`,
      { cause },
    );
  }
}

/** Other compressions would have to be undone whole, too: that is left to who made them. */
function refuseForeign(start: Buffer, path: string): void {
  const foreign = (
    [
      ['zstd', '28b52ffd'],
      ['xz', 'fd377a585a00'],
      ['bzip2', '425a68'],
    ] as const
  ).find(([, magic]) => start.toString('hex').startsWith(magic));
  if (foreign === undefined) return;
  throw new OperationalError(
    'MANIFEST_UNSUPPORTED',
    `${quote(path)} is compressed with ${foreign[0]} as a whole`,
    {
      hint: `unpack it first, or give it through a pipe: ${foreign[0]} -dc … | berth …:/dev/stdin`,
    },
  );
}
