import { constants, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { noteFlow } from '../base/collect-flow.js';
import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { addContext } from '../errors/with-context.js';
import { explainFileError } from './folder-files.js';
import { READ_BYTES } from './image-files.js';
import type { ArchiveCompression, CreateDecompressor } from './transport-context.js';

/** Most bytes that are put aside for one archive: larger than any image, and a bound on what one small file can fill. */
const MAX_SPOOLED_BYTES = 256 * 1024 ** 3;

/** Most that a compressed archive of images may grow: its layers are tars, and those stay below 200 themselves. */
const MAX_RATIO = 1000;

/** Bytes by which a compression is told. */
const MAGIC_BYTES = 6;

/** How archives are packed as a whole that berth can read, and those that it cannot. */
const MAGICS = [
  ['gzip', /^1f8b/],
  ['zstd', /^(?:28b52ffd|5[0-9a-f]2a4d18)/], // a frame, or a skippable one (RFC 8878, section 3.1)
  ['xz', /^fd377a585a00/],
  ['bzip2', /^425a68/],
] as const;

/** Where {@link openArchive} puts what it has to put aside. */
export interface SpoolOptions {
  readonly spoolDirectory: string;
  readonly signal: AbortSignal;
}

/** What {@link openArchive} takes. */
export interface OpenArchiveOptions extends SpoolOptions {
  readonly createDecompressor: CreateDecompressor;
}

/**
 * Opens an archive of images as a file that can be read in any place. One that stands on a disk is read where it is. A pipe, or
 * an archive that is compressed as a whole, cannot be: what the image consists of often stands at its end. It is put aside in a
 * file without a name, which is gone with the handle.
 *
 * @throws OperationalError IMAGE_NOT_FOUND, MANIFEST_UNSUPPORTED, LAYER_COMPRESSION_INVALID, LIMIT_EXCEEDED, DISK_FULL, LIBRARY_MISSING
 */
export async function openArchive(path: string, options: OpenArchiveOptions): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (error) {
    throw explainFileError(path, error);
  }
  let isKept = false;
  try {
    const stat = await file.stat();
    if (!stat.isFile() && !stat.isFIFO() && !stat.isSocket()) {
      throw new OperationalError('IMAGE_NOT_FOUND', `${quote(path)} is not an archive`);
    }
    const { start, whole } = await peek(readPieces(file, stat.isFile() ? 0 : undefined));
    const compression = detectCompression(start, path);
    if (compression === undefined && stat.isFile()) {
      isKept = true;
      return file;
    }
    return await spool(whole, {
      ...options,
      what: quote(path),
      ...(compression === undefined
        ? {}
        : { unpack: (output) => options.createDecompressor(compression, output) }),
    });
  } finally {
    if (!isKept) await file.close();
  }
}

/** What {@link spool} does on the way. */
export interface SpoolDetails extends SpoolOptions {
  /** For messages. */
  readonly what: string;
  /** Makes what undoes the compression of the bytes. */
  readonly unpack?: (output: (chunk: Buffer) => void) => ReturnType<CreateDecompressor>;
}

/**
 * Puts bytes aside in a file without a name.
 *
 * @throws OperationalError LIMIT_EXCEEDED, DISK_FULL, LAYER_COMPRESSION_INVALID; what the source throws
 */
export async function spool(
  pieces: AsyncIterable<Uint8Array>,
  options: SpoolDetails,
): Promise<FileHandle> {
  const { spoolDirectory, what } = options;
  // __O_TMPFILE and O_DIRECTORY of Linux; Node has no name for it.
  const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY;
  try {
    const file = await open(spoolDirectory, O_TMPFILE | constants.O_RDWR, 0o600);
    try {
      await fill(file.fd, pieces, options);
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

async function fill(
  fd: number,
  pieces: AsyncIterable<Uint8Array>,
  { what, unpack, signal }: SpoolDetails,
): Promise<void> {
  let takenBytes = 0;
  let writtenBytes = 0;
  // At once, and not when the disk likes: of a small piece more may come out than there is memory.
  const write = (chunk: Uint8Array): void => {
    writtenBytes += chunk.length;
    const mostBytes = Math.min(MAX_SPOOLED_BYTES, takenBytes * MAX_RATIO);
    if (writtenBytes > mostBytes) {
      throw new OperationalError(
        'LIMIT_EXCEEDED',
        `${what} comes to more than ${mostBytes} bytes, refusing it`,
      );
    }
    for (let done = 0; done < chunk.length;) done += writeSync(fd, chunk, done);
    noteFlow(chunk.length);
  };
  const unpacker = await unpack?.(write);
  try {
    for await (const piece of pieces) {
      signal.throwIfAborted();
      takenBytes += piece.length;
      if (unpacker === undefined) write(piece);
      else await unpacker.write(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
    }
    await unpacker?.end();
  } catch (error) {
    const isDamaged =
      error instanceof OperationalError && error.code === 'LAYER_COMPRESSION_INVALID';
    throw isDamaged ? addContext(`cannot unpack ${what}`, error) : error;
  } finally {
    unpacker?.destroy();
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

/** The first bytes, and all of them. */
async function peek(
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<{ readonly start: Buffer; readonly whole: AsyncIterable<Uint8Array> }> {
  let start = Buffer.alloc(0);
  while (start.length < MAGIC_BYTES) {
    const next = await pieces.next();
    if (next.done === true) break;
    start = start.length === 0 ? Buffer.from(next.value) : Buffer.concat([start, next.value]);
  }
  async function* whole(): AsyncGenerator<Uint8Array, void, undefined> {
    yield start;
    yield* pieces;
  }
  return { start: start.subarray(0, MAGIC_BYTES), whole: whole() };
}

/** Those that are not undone here would have to be undone whole, too: that is left to who made them. */
function detectCompression(start: Buffer, path: string): ArchiveCompression | undefined {
  const hexadecimal = start.toString('hex');
  const name = MAGICS.find(([, magic]) => magic.test(hexadecimal))?.[0];
  if (name === undefined || name === 'gzip' || name === 'zstd') return name;
  throw new OperationalError(
    'MANIFEST_UNSUPPORTED',
    `${quote(path)} is compressed with ${name} as a whole`,
    {
      hint: `unpack it first, or give it through a pipe: ${name} -dc … | berth …:/dev/stdin`,
    },
  );
}
