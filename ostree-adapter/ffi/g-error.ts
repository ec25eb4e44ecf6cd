import { endianness } from 'node:os';

import { OstreeError } from '../errors.js';
import { native, POINTER_BYTES, type Pointer } from './library.js';
import { readBytes, readString } from './memory.js';
import { readPointer } from './ptr-array.js';

/** `struct _GError { GQuark domain; gint code; gchar *message; }`: two 32-bit numbers and a pointer, nothing between. */
const NUMBERS_BYTES = 8;

/** Turns a `GError` into an {@link OstreeError} and frees it: (transfer full). */
export function takeError(operation: string, error: Pointer): OstreeError {
  try {
    const bytes = readBytes(error, NUMBERS_BYTES + POINTER_BYTES);
    const domain = native().g_quark_to_string(read32(bytes, 0));
    const message = readPointer(bytes, NUMBERS_BYTES);
    return new OstreeError(message === 0n ? 'unknown error' : readString(message), {
      operation,
      domain: domain === null ? 'unknown' : readString(domain),
      code: read32(bytes, 4) | 0,
    });
  } finally {
    native().g_error_free(error);
  }
}

const little = endianness() === 'LE';

function read32(bytes: Buffer, offset: number): number {
  return little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}
