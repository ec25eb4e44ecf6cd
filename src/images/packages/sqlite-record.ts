import { DatabaseUnreadable } from './package-list.js';

/** A value of a row: text and blobs as bytes; integers; undefined for NULL and for numbers that are none of the former. */
export type SqliteValue = Buffer | number | undefined;

/** Columns that are looked at: what is read here has five. */
const MAX_COLUMNS = 16;

/** Bytes of the integers by serial type (sqlite.org/fileformat2.html, section 2.1). */
const INTEGER_BYTES: readonly number[] = [0, 1, 2, 3, 4, 6, 8];

/**
 * Reads a variable-length integer. Above 2^53 its value is not exact, which no length in a file needs.
 *
 * @throws {@link DatabaseUnreadable} if the bytes end first
 */
export function readVarint(
  bytes: Buffer,
  at: number,
): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) throw new DatabaseUnreadable('damaged: a number that is cut off');
    if (index === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  throw new Error('internal error: unreachable');
}

/**
 * Takes a row apart.
 *
 * @throws {@link DatabaseUnreadable} if its header and its content are not of one length
 */
export function decodeRecord(payload: Buffer): readonly SqliteValue[] {
  const header = readVarint(payload, 0);
  if (header.value > payload.length) throw new DatabaseUnreadable('damaged: a row that is cut off');
  const values: SqliteValue[] = [];
  let content = header.value;
  for (let at = header.end; at < header.value && values.length < MAX_COLUMNS;) {
    const type = readVarint(payload, at);
    at = type.end;
    const size = sizeOf(type.value);
    if (content + size > payload.length)
      throw new DatabaseUnreadable('damaged: a value that is cut off');
    values.push(decodeValue(type.value, payload.subarray(content, content + size)));
    content += size;
  }
  return values;
}

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  if (type === 7) return 8;
  return INTEGER_BYTES[type] ?? 0;
}

function decodeValue(type: number, bytes: Buffer): SqliteValue {
  if (type >= 12) return bytes;
  if (type === 8 || type === 9) return type - 8;
  return type >= 1 && type <= 5 ? bytes.readIntBE(0, bytes.length) : undefined;
}
