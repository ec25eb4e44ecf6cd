import { endianness } from 'node:os';

import { isCleanText } from '../text.js';
import { alignUp, GVariantError, MAX_DEPTH, parseType, type VariantType } from './type-string.js';
import { isVariant, type Variant, type VariantData } from './value.js';

const little = endianness() === 'LE';

/**
 * The bytes of a value, as `g_variant_get_data()` gives them: in the byte order of the machine.
 *
 * @throws {@link GVariantError} if the value is not of the type
 */
export function encodeVariant({ type, value }: Variant): Buffer {
  return encode(parseType(type), value, 0);
}

function encode(type: VariantType, value: VariantData | undefined, depth: number): Buffer {
  if (depth > MAX_DEPTH) throw new GVariantError('value is nested too deep');
  switch (type.kind) {
    case 'basic':
      return encodeBasic(type.code, value);
    case 'text':
      return encodeText(value);
    case 'variant': {
      if (!isVariant(value)) throw mismatch('v');
      // The type must fit the depth that is left too.
      const child = encode(parseType(value.type), value.value, depth + 1);
      return Buffer.concat([child, Buffer.from(`\0${value.type}`, 'latin1')]);
    }
    case 'maybe': {
      if (value === null) return Buffer.alloc(0);
      const child = encode(type.element, value, depth + 1);
      return type.element.size === 0 ? Buffer.concat([child, Buffer.alloc(1)]) : child;
    }
    case 'array':
      return encodeArray(type.element, value, depth);
    case 'tuple': {
      if (!Array.isArray(value) || value.length !== type.members.length) throw mismatch('tuple');
      const values = value as readonly VariantData[];
      if (values.length === 0) return Buffer.alloc(1);
      const parts = type.members.map((member, index) => ({
        bytes: encode(member, values[index], depth + 1),
        align: member.align,
        framed: member.size === 0 && index < type.members.length - 1,
      }));
      return joinTuple(parts, type);
    }
  }
}

function encodeArray(element: VariantType, value: VariantData | undefined, depth: number): Buffer {
  if (value instanceof Uint8Array) {
    if (element.kind !== 'basic' || element.code !== 'y') throw mismatch('array');
    return Buffer.from(value);
  }
  if (!Array.isArray(value)) throw mismatch('array');
  const items = (value as readonly VariantData[]).map((item) => encode(element, item, depth + 1));
  if (element.size > 0) return Buffer.concat(items);
  const [body, ends] = join(items.map((bytes) => ({ bytes, align: element.align })));
  return Buffer.concat([body, frame(body.length, ends)]);
}

function joinTuple(
  parts: readonly { bytes: Buffer; align: number; framed: boolean }[],
  type: VariantType & { kind: 'tuple' },
): Buffer {
  const [body, ends] = join(parts);
  if (type.size > 0) return Buffer.concat([body, Buffer.alloc(type.size - body.length)]);
  const framed = ends.filter((_, index) => parts[index]?.framed === true).reverse();
  return Buffer.concat([body, frame(body.length, framed)]);
}

/** The parts one after the other, each aligned, and where each ends. */
function join(parts: readonly { bytes: Buffer; align: number }[]): [Buffer, number[]] {
  const pieces: Buffer[] = [];
  const ends: number[] = [];
  let size = 0;
  for (const { bytes, align } of parts) {
    const start = alignUp(size, align);
    if (start > size) pieces.push(Buffer.alloc(start - size));
    pieces.push(bytes);
    size = start + bytes.length;
    ends.push(size);
  }
  return [Buffer.concat(pieces), ends];
}

/** The framing offsets: as narrow as the whole, offsets included, allows. */
export function frame(bodySize: number, offsets: readonly number[]): Buffer {
  const width = [1, 2, 4, 8].find((bytes) => bodySize + bytes * offsets.length <= 256 ** bytes - 1);
  if (width === undefined) throw new GVariantError('value is too large');
  const bytes = Buffer.alloc(width * offsets.length);
  offsets.forEach((offset, index) => {
    // Framing offsets are little-endian on all machines; none here is above 2^48.
    bytes.writeUIntLE(offset, index * width, Math.min(width, 6));
  });
  return bytes;
}

function encodeText(value: VariantData | undefined): Buffer {
  if (!isCleanText(value)) throw mismatch('string');
  return Buffer.from(`${value}\0`, 'utf8');
}

const INTEGERS = {
  y: { bytes: 1, min: 0n, max: 0xffn },
  n: { bytes: 2, min: -0x8000n, max: 0x7fffn },
  q: { bytes: 2, min: 0n, max: 0xffffn },
  i: { bytes: 4, min: -0x8000_0000n, max: 0x7fff_ffffn },
  h: { bytes: 4, min: -0x8000_0000n, max: 0x7fff_ffffn },
  u: { bytes: 4, min: 0n, max: 0xffff_ffffn },
  x: { bytes: 8, min: -(2n ** 63n), max: 2n ** 63n - 1n },
  t: { bytes: 8, min: 0n, max: 2n ** 64n - 1n },
} as const;

function encodeBasic(
  code: 'b' | 'd' | keyof typeof INTEGERS,
  value: VariantData | undefined,
): Buffer {
  if (code === 'b') {
    if (typeof value !== 'boolean') throw mismatch(code);
    return Buffer.of(value ? 1 : 0);
  }
  if (code === 'd') {
    if (typeof value !== 'number') throw mismatch(code);
    const bytes = Buffer.alloc(8);
    if (little) bytes.writeDoubleLE(value);
    else bytes.writeDoubleBE(value);
    return bytes;
  }
  const { bytes, min, max } = INTEGERS[code];
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isSafeInteger(value))) {
    throw mismatch(code);
  }
  const whole = BigInt(value);
  if (whole < min || whole > max) throw mismatch(code);
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, whole));
  const narrow = out.subarray(0, bytes);
  return little ? narrow : Buffer.from(narrow).reverse();
}

function mismatch(type: string): GVariantError {
  return new GVariantError(`value is not of type ${type}`);
}
