import { crc32 } from 'node:zlib';

/*
 * A file of `partial/`: {@link PARTIAL_BEGINNING}, then records one after the other, each of
 *
 *   8 bytes   offset of the content in the blob
 *   4 bytes   length of the content
 *   4 bytes   CRC-32 of the content
 *   4 bytes   CRC-32 of the 16 bytes before
 *   n bytes   content
 *
 * with little-endian numbers. Records stand in the order in which they came, which is not that of the blob where a pull broke off
 * more than once; of two for one offset the later one counts. A file that is empty, or begins in another way, says that a
 * download of the blob broke off, and holds nothing of it. Programs before this format began their files with a length of at most
 * 4 MiB: they take {@link PARTIAL_BEGINNING} for a longer one, and the file for damaged from there on.
 *
 * The checksums find what a power cut left half-written: nothing is ever synced here, because what is lost is fetched again.
 * They prove nothing: all that comes out is hashed by the consumer as if it came from the network.
 */

/** First bytes of the file, with the number of the format. */
export const PARTIAL_BEGINNING = Buffer.from('berth partial 2\n');

/** Bytes of a record before its content. */
export const RECORD_HEADER_BYTES = 20;

/** Longest content of a record in bytes: a piece of the network is never that large. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER) - BigInt(MAX_RECORD_BYTES);

/** What stands before the content of a record. */
export interface RecordHeader {
  /** Where in the blob the content begins. */
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

/** Gives what stands before `content`, which begins at `offset` of the blob. */
export function encodeRecordHeader(content: Uint8Array, offset: number): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(offset), 0);
  header.writeUInt32LE(content.length, 8);
  header.writeUInt32LE(crc32(content), 12);
  header.writeUInt32LE(crc32(header.subarray(0, 16)), 16);
  return header;
}

/** Reads {@link RECORD_HEADER_BYTES} bytes; undefined if they are damaged. */
export function decodeRecordHeader(header: Buffer): RecordHeader | undefined {
  if (crc32(header.subarray(0, 16)) !== header.readUInt32LE(16)) return undefined;
  const offset = header.readBigUInt64LE(0);
  const length = header.readUInt32LE(8);
  if (offset > MAX_OFFSET || length === 0 || length > MAX_RECORD_BYTES) return undefined;
  return { offset: Number(offset), length, crc: header.readUInt32LE(12) };
}
