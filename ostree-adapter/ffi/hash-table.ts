import { native, type Pointer } from './library.js';
import { filledSlot, slot, slotPointer } from './memory.js';

/** `sizeof (GHashTableIter)` is 40 on 64-bit machines. */
const ITER_BYTES = 64;

/** Addresses of keys and values of a `GHashTable`, which keeps them: (transfer none). The table must not change meanwhile. */
export function* tableEntries(table: Pointer): Generator<readonly [key: Pointer, value: Pointer]> {
  const call = native();
  const iter = Buffer.alloc(ITER_BYTES);
  const key = slot();
  const value = slot();
  call.g_hash_table_iter_init(iter, table);
  while (call.g_hash_table_iter_next(iter, key, value) !== 0) {
    yield [filledSlot(key), slotPointer(value) ?? 0n];
  }
}
