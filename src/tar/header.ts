import { parseNumber } from './numbers.js';
import { archiveInvalid } from './tar-error.js';

/** Bytes of a block; headers are one block, content is padded to whole ones. */
export const BLOCK_BYTES = 512;

/** One header block, as it stands; numbers undefined where the field holds none. */
export interface RawHeader {
  /** One character. */
  readonly flag: string;
  /** Prefix and name put together; byte string. */
  readonly path: string;
  readonly link: string;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly size: number | undefined;
  readonly mtime: number | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
}

/** Parses a block that is not all zeros. `offset` is where it stands in the archive. */
export function parseHeader(block: Buffer, offset: number): RawHeader {
  checkChecksum(block, offset);
  const name = cText(block, 0, 100);
  const prefix = prefixOf(block);
  return {
    flag: block.toString('latin1', 156, 157),
    path: prefix === '' ? name : `${prefix}/${name}`,
    link: cText(block, 157, 257),
    mode: parseNumber(block, 100, 108),
    uid: parseNumber(block, 108, 116),
    gid: parseNumber(block, 116, 124),
    size: parseNumber(block, 124, 136),
    mtime: parseNumber(block, 136, 148),
    major: parseNumber(block, 329, 337),
    minor: parseNumber(block, 337, 345),
  };
}

/** Whether a block is all zeros. */
export function isZeroBlock(block: Buffer, start: number): boolean {
  return ZEROS.compare(block, start, start + BLOCK_BYTES) === 0;
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** The sum of all bytes, its own field as blanks. Old Suns summed signed bytes; GNU tar and Go take both, and so do we. */
function checkChecksum(block: Buffer, offset: number): void {
  let unsigned = 8 * 0x20;
  let highBytes = 0;
  for (let index = 0; index < 148; index += 1) {
    const byte = block[index] ?? 0;
    unsigned += byte;
    highBytes += byte >> 7;
  }
  for (let index = 156; index < BLOCK_BYTES; index += 1) {
    const byte = block[index] ?? 0;
    unsigned += byte;
    highBytes += byte >> 7;
  }
  const expected = parseNumber(block, 148, 156);
  if (expected !== unsigned && expected !== unsigned - 256 * highBytes) {
    throw archiveInvalid('this is not a header: its checksum is wrong', offset);
  }
}

/**
 * The part of the path that stands in the prefix field. POSIX magic: 155 bytes, or 131 with star's trailer. GNU magic: none,
 * the place holds two times; but Go before 1.8 wrote a prefix there under GNU magic, so what is no number is a prefix, as
 * Go itself reads it. No magic (v7): none.
 */
function prefixOf(block: Buffer): string {
  if (block[345] === 0) return '';
  if (block.toString('latin1', 257, 263) === 'ustar\0') {
    return cText(block, 345, block.toString('latin1', 508, 512) === 'tar\0' ? 476 : 500);
  }
  if (block.toString('latin1', 257, 265) !== 'ustar  \0') return '';
  const times =
    parseNumber(block, 345, 357) !== undefined && parseNumber(block, 357, 369) !== undefined;
  return times ? '' : cText(block, 345, 500);
}

/** The bytes of a field up to the first NUL. */
function cText(block: Buffer, start: number, end: number): string {
  let stop = start;
  while (stop < end && block[stop] !== 0) stop += 1;
  return block.toString('latin1', start, stop);
}
