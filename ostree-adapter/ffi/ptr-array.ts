import { endianness } from 'node:os';

import { POINTER_BYTES, type Pointer } from './library.js';
import { readBytes } from './memory.js';

const little = endianness() === 'LE';

/** Addresses in a `GPtrArray` (`{ gpointer *pdata; guint len; }`), which keeps them: (transfer none). */
export function arrayPointers(array: Pointer): readonly Pointer[] {
  const head = readBytes(array, POINTER_BYTES + 4);
  const data = readPointer(head, 0);
  const length = little ? head.readUInt32LE(POINTER_BYTES) : head.readUInt32BE(POINTER_BYTES);
  if (data === 0n || length === 0) return [];
  const bytes = readBytes(data, length * POINTER_BYTES);
  return Array.from({ length }, (_, index) => readPointer(bytes, index * POINTER_BYTES));
}

/** A pointer in bytes that were copied from native memory. */
export function readPointer(bytes: Buffer, offset: number): Pointer {
  if (POINTER_BYTES === 4) {
    return BigInt(little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset));
  }
  return little ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset);
}
