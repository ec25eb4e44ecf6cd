import { GVariantError } from './type-string.js';

/**
 * A value of a GVariant: booleans; numbers for types up to 32 bits and doubles, bigints for 64; strings; bytes for `ay`;
 * arrays for other arrays and for tuples and dictionary entries; {@link Variant} for `v`; null or the value for a maybe.
 */
export type VariantData =
  boolean | number | bigint | string | Uint8Array | null | Variant | readonly VariantData[];

/** A value with its type. */
export interface Variant {
  /** GVariant type string. */
  readonly type: string;
  readonly value: VariantData;
}

/** A dictionary of type `a{sv}`, in the order of its entries. */
export type VariantDict = ReadonlyMap<string, Variant>;

/** A string. */
export function variantString(value: string): Variant {
  return { type: 's', value };
}

/** A list of strings. */
export function variantStrings(value: readonly string[]): Variant {
  return { type: 'as', value };
}

/** Bytes. */
export function variantBytes(value: Uint8Array): Variant {
  return { type: 'ay', value };
}

/** An unsigned 64-bit number. */
export function variantUint64(value: bigint | number): Variant {
  return { type: 't', value: BigInt(value) };
}

/** An unsigned 32-bit number. */
export function variantUint32(value: number): Variant {
  return { type: 'u', value };
}

/** A signed 64-bit number. */
export function variantInt64(value: bigint | number): Variant {
  return { type: 'x', value: BigInt(value) };
}

/** A boolean. */
export function variantBoolean(value: boolean): Variant {
  return { type: 'b', value };
}

/** A dictionary inside another. */
export function variantDict(entries: VariantDict): Variant {
  return { type: 'a{sv}', value: dictData(entries) };
}

/** The entries of a dictionary as the codec takes them. */
export function dictData(entries: VariantDict): VariantData {
  return [...entries].map(([key, value]): VariantData => [key, value]);
}

/**
 * A decoded `a{sv}` as map; of a key that is there twice the first value counts, as for GLib.
 *
 * @throws {@link GVariantError} if it is not one
 */
export function dictOf(data: VariantData): VariantDict {
  const entries = new Map<string, Variant>();
  for (const entry of asArray(data)) {
    const [key, value] = asArray(entry);
    if (typeof key !== 'string' || !isVariant(value)) throw new GVariantError('not a dictionary');
    if (!entries.has(key)) entries.set(key, value);
  }
  return entries;
}

/** Whether it is a {@link Variant}. */
export function isVariant(data: VariantData | undefined): data is Variant {
  return typeof data === 'object' && data !== null && 'type' in data;
}

/**
 * A decoded array or tuple.
 *
 * @throws {@link GVariantError} if it is neither
 */
export function asArray(data: VariantData | undefined): readonly VariantData[] {
  if (!Array.isArray(data)) throw new GVariantError('not an array');
  return data as readonly VariantData[];
}

/**
 * Decoded bytes.
 *
 * @throws {@link GVariantError} if it is something else
 */
export function asBytes(data: VariantData | undefined): Uint8Array {
  if (!(data instanceof Uint8Array)) throw new GVariantError('not bytes');
  return data;
}

/**
 * A decoded string.
 *
 * @throws {@link GVariantError} if it is something else
 */
export function asString(data: VariantData | undefined): string {
  if (typeof data !== 'string') throw new GVariantError('not a string');
  return data;
}

/**
 * A decoded number of up to 32 bits.
 *
 * @throws {@link GVariantError} if it is something else
 */
export function asNumber(data: VariantData | undefined): number {
  if (typeof data !== 'number') throw new GVariantError('not a number');
  return data;
}
