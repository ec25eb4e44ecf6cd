import { escapeText } from '../base/escape-text.js';
import type { TarXattr } from './entry.js';
import type { TarLimits } from './limits.js';
import { archiveInvalid, archiveLimit, entryRefused } from './tar-error.js';

/**
 * The records of a PAX header (POSIX.1-2017 pax, "pax Extended Header"). Values are bytes: `hdrcharset=BINARY` and UTF-8
 * are read alike, since berth keeps bytes and converts nothing.
 */
export type PaxRecords = ReadonlyMap<string, Buffer>;

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
/** "1048576 " and nothing longer can begin a record within the limit on the header's size. */
const MAX_LENGTH_DIGITS = 8;

/** Parses the body of a PAX header; `offset` is where it stands in the archive. A key twice: the later one holds. */
export function parsePaxRecords(
  body: Buffer,
  place: { readonly offset: number; readonly limits: TarLimits },
): PaxRecords {
  const records = new Map<string, Buffer>();
  let start = 0;
  for (let count = 1; start < body.length; count += 1) {
    if (count > place.limits.maxPaxRecords) {
      throw archiveLimit('records in one extended header', place.limits.maxPaxRecords);
    }
    const end = start + recordLength(body, start, place.offset);
    const keyStart = body.indexOf(0x20, start) + 1;
    const equals = body.indexOf(EQUALS, keyStart);
    if (end > body.length || body[end - 1] !== NEWLINE || equals <= keyStart || equals >= end - 1) {
      throw archiveInvalid('a record of an extended header is damaged', place.offset + start);
    }
    const key = body.toString('latin1', keyStart, equals);
    if (key.includes('\0')) {
      throw archiveInvalid('a record of an extended header has a NUL in its key', place.offset);
    }
    records.set(key, body.subarray(equals + 1, end - 1));
    start = end;
  }
  return records;
}

/** The decimal number that a record begins with: its whole length, itself and the newline included. */
function recordLength(body: Buffer, start: number, offset: number): number {
  let length = 0;
  for (let index = start; index - start <= MAX_LENGTH_DIGITS; index += 1) {
    const byte = body[index] ?? 0;
    if (byte === 0x20 && index > start) return length;
    if (byte < 0x30 || byte > 0x39) break;
    length = length * 10 + (byte - 0x30);
  }
  throw archiveInvalid('a record of an extended header has no length', offset + start);
}

/** The text of a record as byte string; undefined if it is not there or empty (which takes it back). */
export function paxText(records: PaxRecords | undefined, key: string): string | undefined {
  const value = records?.get(key);
  return value === undefined || value.length === 0 ? undefined : value.toString('latin1');
}

/** A record that must be a decimal number without sign; undefined if it is not there. */
export function paxNumber(
  records: PaxRecords | undefined,
  key: string,
  offset: number,
): number | undefined {
  const text = paxText(records, key);
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) {
    throw archiveInvalid(`'${escapeText(text)}' is not a ${key}`, offset);
  }
  return number;
}

/**
 * Refuses what would make one archive two different ones: in a global header, a record that other readers apply to every
 * following entry and some to none. Global comments and the like pass, and have no effect.
 */
export function checkGlobalRecords(records: PaxRecords, offset: number): void {
  for (const key of records.keys()) {
    if (/^(path|linkpath|size|uid|gid)$|^(SCHILY|LIBARCHIVE)\.xattr\.|^GNU\.sparse\./.test(key)) {
      throw archiveInvalid(`a global header sets '${escapeText(key)}' for all entries`, offset);
    }
  }
}

/** Refuses sparse files (image-spec v1.1 layer.md: they should not be used; their maps can be endless). */
export function refuseSparse(records: PaxRecords, offset: number): void {
  for (const key of records.keys()) {
    if (key.startsWith('GNU.sparse.')) throw entryRefused('a sparse file', offset);
  }
}

const SCHILY = 'SCHILY.xattr.';
const LIBARCHIVE = 'LIBARCHIVE.xattr.';

/**
 * The extended attributes of a header, sorted. Where both spellings have one name, SCHILY's stands: it is the bytes,
 * where the other is an encoding of them.
 */
export function paxXattrs(records: PaxRecords): TarXattr[] {
  const found = new Map<string, Buffer>();
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY)) found.set(key.slice(SCHILY.length), Buffer.from(value));
  }
  for (const [key, value] of records) {
    if (!key.startsWith(LIBARCHIVE)) continue;
    const name = percentDecoded(key.slice(LIBARCHIVE.length));
    if (!found.has(name)) found.set(name, Buffer.from(value.toString('latin1'), 'base64'));
  }
  return [...found]
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** libarchive escapes `=`, `%` and what is no printable ASCII in the name as `%XX`. */
function percentDecoded(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
