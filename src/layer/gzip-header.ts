import { crc32 } from 'node:zlib';

/** Bits of a header's flags (RFC 1952, section 2.3.1); FTEXT says nothing that matters. */
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;
const METHOD_DEFLATE = 8;
const FIXED_BYTES = 10;

/**
 * Longest header that is read, in bytes: one extra field is up to 64 KiB (eStargz keeps its footer there), names are short.
 * It has to be kept until it is whole.
 */
export const MAX_GZIP_HEADER_BYTES = 128 * 1024;

/** Bytes of the header of a member; undefined where it goes on behind what is there, and why not where it is none. */
export function readGzipHeader(bytes: Buffer): number | undefined | { readonly problem: string } {
  const wrongAt = [0x1f, 0x8b].findIndex((byte, at) => at < bytes.length && bytes[at] !== byte);
  if (wrongAt >= 0) return { problem: 'incorrect header check' };
  if (bytes.length < FIXED_BYTES) return undefined;
  const flags = bytes.readUInt8(3);
  if (bytes[2] !== METHOD_DEFLATE) return { problem: 'unknown compression method' };
  if ((flags & RESERVED) !== 0) return { problem: 'unknown header flags set' };
  let at = FIXED_BYTES;
  if ((flags & FEXTRA) !== 0) {
    if (bytes.length < at + 2) return undefined;
    at += 2 + bytes.readUInt16LE(at);
  }
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if ((flags & FHCRC) !== 0) {
    if (bytes.length < at + 2) return undefined;
    const isRight = bytes.readUInt16LE(at) === (crc32(bytes.subarray(0, at)) & 0xffff);
    if (!isRight) return { problem: 'header crc mismatch' };
    at += 2;
  }
  return at > bytes.length ? undefined : at;
}
