import type { FileHandle } from 'node:fs/promises';

import { READ_BYTES } from './image-files.js';
import type { BlobOptions } from './image-source.js';

/** Where in a file something stands; to the end of the file unless its size is given. */
export interface FilePart {
  readonly offset: number;
  readonly size?: number;
}

/**
 * Reads a part of a file in pieces, the next one while the last one is looked at. Pieces that are lent lie in two buffers that are
 * used in turn: nothing is left to collect, however large the file is. Shorter than it was said to be, it just ends: whoever verifies
 * the content says so.
 */
export async function* readPieces(
  file: FileHandle,
  { offset, size = Infinity }: FilePart,
  { signal, lend }: Pick<BlobOptions, 'signal' | 'lend'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (size === 0) return;
  const bufferBytes = Math.min(READ_BYTES, size);
  const makeBuffer = (): Buffer => Buffer.allocUnsafeSlow(bufferBytes);
  const buffers = lend === true ? [makeBuffer(), makeBuffer()] : undefined;
  const read = async (turn: number, done: number): Promise<Uint8Array> => {
    const buffer = buffers?.[turn % buffers.length] ?? makeBuffer();
    const length = Math.min(bufferBytes, size - done);
    const { bytesRead } = await file.read({ buffer, offset: 0, length, position: offset + done });
    return buffer.subarray(0, bytesRead);
  };
  let reading = read(0, 0);
  try {
    for (let turn = 1, done = 0; ; turn++) {
      const piece = await reading;
      signal.throwIfAborted();
      if (piece.length === 0) return;
      done += piece.length;
      reading = read(turn, done);
      reading.catch(() => undefined); // looked at in the next round, if there is one
      yield piece;
    }
  } finally {
    await reading.catch(() => undefined); // the file may be closed, and the buffers dropped, when nothing is under way
  }
}
