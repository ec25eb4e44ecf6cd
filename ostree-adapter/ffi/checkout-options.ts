import { endianness } from 'node:os';

import { addressOf, POINTER_BYTES } from './library.js';

/** The fields of `OstreeRepoCheckoutAtOptions` that are used; the others stay 0. */
export interface CheckoutFields {
  readonly mode: number;
  readonly overwrite: number;
  readonly processWhiteouts: boolean;
  readonly noCopyFallback: boolean;
  readonly forceCopy: boolean;
  readonly bareUserOnlyDirs: boolean;
  readonly forceCopyZeroSized: boolean;
  /** Held by the caller until the call is over. */
  readonly subpath: Buffer | null;
}

/** Two enums and eleven gbooleans stand before the first pointer. */
const NUMBERS = 13;
/** More than the structure has on any machine (152 bytes on 64-bit ones). */
const SIZE = 256;

/** `OstreeRepoCheckoutAtOptions` in memory. */
export function encodeCheckoutOptions(fields: CheckoutFields): Buffer {
  const bytes = Buffer.alloc(SIZE);
  const numbers = [
    fields.mode,
    fields.overwrite,
    0, // enable_uncompressed_cache, deprecated
    0, // enable_fsync, deprecated
    Number(fields.processWhiteouts),
    Number(fields.noCopyFallback),
    Number(fields.forceCopy),
    Number(fields.bareUserOnlyDirs),
    Number(fields.forceCopyZeroSized),
  ];
  const little = endianness() === 'LE';
  numbers.forEach((value, index) => {
    if (little) bytes.writeInt32LE(value, index * 4);
    else bytes.writeInt32BE(value, index * 4);
  });
  if (fields.subpath !== null) {
    const offset = Math.ceil((NUMBERS * 4) / POINTER_BYTES) * POINTER_BYTES;
    const address = addressOf(fields.subpath);
    if (POINTER_BYTES === 4) {
      if (little) bytes.writeUInt32LE(Number(address), offset);
      else bytes.writeUInt32BE(Number(address), offset);
    } else if (little) bytes.writeBigUInt64LE(address, offset);
    else bytes.writeBigUInt64BE(address, offset);
  }
  return bytes;
}
