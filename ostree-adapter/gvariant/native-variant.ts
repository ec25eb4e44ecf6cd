import { native, type Pointer } from '../ffi/library.js';
import { asciiString, readBytes } from '../ffi/memory.js';
import { decodeVariant } from './decode.js';
import { encodeVariant } from './encode.js';
import type { Variant, VariantData } from './value.js';

/** A GVariant of our own making for one call, or several; given back by disposing of it. */
export class NativeVariant implements Disposable {
  #pointer: Pointer | undefined;

  /** Makes one of a value. The bytes are copied, so the native side may keep it. */
  static of(variant: Variant): NativeVariant {
    return NativeVariant.ofBytes(variant.type, encodeVariant(variant));
  }

  /** Makes one of bytes that are a value of the type. */
  static ofBytes(type: string, data: Uint8Array): NativeVariant {
    const call = native();
    const bytes = call.g_bytes_new(data.length === 0 ? null : data, data.length);
    try {
      // (transfer floating), sunk at once: what takes it adds a reference of its own.
      const floating = call.g_variant_new_from_bytes(asciiString(type), bytes, 1);
      return new NativeVariant(call.g_variant_ref_sink(floating));
    } finally {
      call.g_bytes_unref(bytes);
    }
  }

  /** Takes a reference over: (transfer full). */
  constructor(pointer: Pointer | null) {
    if (pointer === null) throw new Error('internal error: no GVariant');
    this.#pointer = pointer;
  }

  /** Its address. */
  get pointer(): Pointer {
    if (this.#pointer === undefined) throw new Error('a GVariant is used after it was given back');
    return this.#pointer;
  }

  /** A copy of its bytes. */
  bytes(): Buffer {
    return variantBytesAt(this.pointer);
  }

  [Symbol.dispose](): void {
    if (this.#pointer !== undefined) native().g_variant_unref(this.#pointer);
    this.#pointer = undefined;
  }
}

/** A copy of the bytes of somebody else's GVariant: (transfer none). */
export function variantBytesAt(pointer: Pointer): Buffer {
  const call = native();
  const size = call.g_variant_get_size(pointer);
  const data = size === 0 ? null : call.g_variant_get_data(pointer);
  return data === null ? Buffer.alloc(0) : readBytes(data, size);
}

/** The value of a GVariant of known type, which is given back: (transfer full). */
export function takeVariant(type: string, pointer: Pointer): VariantData {
  using variant = new NativeVariant(pointer);
  return decodeVariant(type, variant.bytes());
}
