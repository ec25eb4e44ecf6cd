import { OstreeInputError } from '../errors.js';
import { isCleanText } from '../text.js';
import { loadLibrary, native, type Pointer } from './library.js';

/** A place for one pointer or number that a call writes. Read it after the call. */
export type Slot = BigUint64Array;

/** A new {@link Slot}, 0. */
export function slot(): Slot {
  return new BigUint64Array(1);
}

/** The pointer in a slot; undefined for NULL. */
export function slotPointer(place: Slot): Pointer | undefined {
  const value = place[0] ?? 0n;
  return value === 0n ? undefined : value;
}

/** The pointer in a slot, which the call that was made has always set. */
export function filledSlot(place: Slot): Pointer {
  const pointer = slotPointer(place);
  if (pointer === undefined) throw new Error('internal error: a call gave no result');
  return pointer;
}

/** The `int` or `guint` in a slot (the first four bytes, whatever the byte order). */
export function slotInt(place: Slot): number {
  return new Int32Array(place.buffer, place.byteOffset, 1)[0] ?? 0;
}

/** The `guint64` in a slot. */
export function slotNumber(place: Slot): number {
  return Number(place[0] ?? 0n);
}

/**
 * The UTF-8 bytes of a string with the NUL that ends it. `what` names it in the error.
 *
 * @throws {@link OstreeInputError} for a NUL inside, which C takes for the end, and for half a surrogate pair, which becomes
 * another character
 */
export function cString(text: string, what: string): Buffer {
  if (!isCleanText(text)) {
    throw new OstreeInputError(`${what} is not a string, contains NUL, or is not Unicode`);
  }
  return Buffer.from(`${text}\0`, 'utf8');
}

/** As {@link cString}, of text that is ASCII without NUL for sure. */
export function asciiString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'latin1');
}

/** The UTF-8 string at an address; what is not UTF-8 in it is replaced. Nothing is freed. */
export function readString(address: Pointer): string {
  return loadLibrary().decodeString(address);
}

/** The UTF-8 string at an address, which is freed: (transfer full). */
export function takeString(address: Pointer): string {
  try {
    return readString(address);
  } finally {
    native().g_free(address);
  }
}

/** A copy of the bytes at an address. Nothing is freed. */
export function readBytes(address: Pointer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  if (length > 0) native().memcpy(copy, address, length);
  return copy;
}
