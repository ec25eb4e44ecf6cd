import { endianness } from 'node:os';
import { isUtf8 } from 'node:buffer';

import { alignUp, GVariantError, MAX_DEPTH, parseType, type VariantType } from './type-string.js';
import type { VariantData } from './value.js';

const little = endianness() === 'LE';

/**
 * The value of bytes, as `g_variant_get_data()` gives them: in the byte order of the machine. Bytes are copied out.
 *
 * @throws {@link GVariantError} for bytes that are not a value of this type. (GLib takes default values instead; a repository
 * whose objects need that was not written by libostree.)
 */
export function decodeVariant(type: string, bytes: Uint8Array): VariantData {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decode(parseType(type), buffer, 0);
}

function decode(type: VariantType, bytes: Buffer, depth: number): VariantData {
  if (depth > MAX_DEPTH) throw new GVariantError('value is nested too deep');
  if (type.size > 0 && bytes.length !== type.size) throw broken();
  switch (type.kind) {
    case 'basic':
      return decodeBasic(type.code, bytes);
    case 'text':
      return decodeText(bytes);
    case 'variant': {
      const separator = bytes.lastIndexOf(0);
      if (separator < 0) throw broken();
      const typeString = bytes.toString('latin1', separator + 1);
      const value = decode(parseType(typeString), bytes.subarray(0, separator), depth + 1);
      return { type: typeString, value };
    }
    case 'maybe': {
      if (bytes.length === 0) return null;
      if (type.element.size > 0) return decode(type.element, bytes, depth + 1);
      if (bytes.at(-1) !== 0) throw broken();
      return decode(type.element, bytes.subarray(0, -1), depth + 1);
    }
    case 'array':
      return decodeArray(type.element, bytes, depth);
    case 'tuple':
      return decodeTuple(type, bytes, depth);
  }
}

function decodeArray(element: VariantType, bytes: Buffer, depth: number): VariantData {
  if (element.kind === 'basic' && element.code === 'y') return Buffer.from(bytes);
  if (bytes.length === 0) return [];
  const items: VariantData[] = [];
  if (element.size > 0) {
    if (bytes.length % element.size !== 0) throw broken();
    for (let at = 0; at < bytes.length; at += element.size) {
      items.push(decode(element, bytes.subarray(at, at + element.size), depth + 1));
    }
    return items;
  }
  const width = offsetWidth(bytes.length);
  const bodyEnd = readOffset(bytes, bytes.length - width, width);
  const framing = bytes.length - bodyEnd;
  if (framing < width || framing % width !== 0) throw broken();
  let start = 0;
  for (let at = bodyEnd; at < bytes.length; at += width) {
    const end = readOffset(bytes, at, width);
    const from = alignUp(start, element.align);
    if (end < from || end > bodyEnd) throw broken();
    items.push(decode(element, bytes.subarray(from, end), depth + 1));
    start = end;
  }
  return items;
}

function decodeTuple(
  type: VariantType & { kind: 'tuple' },
  bytes: Buffer,
  depth: number,
): VariantData {
  const { members } = type;
  if (members.length === 0) return [];
  const width = offsetWidth(bytes.length);
  const framed = members.filter((member, index) => member.size === 0 && index < members.length - 1);
  const bodyEnd = bytes.length - width * framed.length;
  if (bodyEnd < 0) throw broken();
  let nextFrame = bytes.length - width;
  let start = 0;
  return members.map((member, index) => {
    const from = alignUp(start, member.align);
    let end;
    if (member.size > 0) end = from + member.size;
    else if (index === members.length - 1) end = bodyEnd;
    else {
      end = readOffset(bytes, nextFrame, width);
      nextFrame -= width;
    }
    if (end < from || end > bodyEnd) throw broken();
    start = end;
    return decode(member, bytes.subarray(from, end), depth + 1);
  });
}

function offsetWidth(size: number): number {
  if (size <= 0xff) return 1;
  if (size <= 0xffff) return 2;
  return size <= 0xffff_ffff ? 4 : 8;
}

function readOffset(bytes: Buffer, at: number, width: number): number {
  if (at < 0) throw broken();
  return width === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, width);
}

function decodeText(bytes: Buffer): string {
  const body = bytes.subarray(0, -1);
  if (bytes.at(-1) !== 0 || body.includes(0) || !isUtf8(body)) throw broken();
  return body.toString('utf8');
}

function decodeBasic(code: string, bytes: Buffer): VariantData {
  switch (code) {
    case 'b': {
      const byte = bytes.readUInt8();
      if (byte > 1) throw broken();
      return byte === 1;
    }
    case 'y':
      return bytes.readUInt8();
    case 'n':
      return little ? bytes.readInt16LE() : bytes.readInt16BE();
    case 'q':
      return little ? bytes.readUInt16LE() : bytes.readUInt16BE();
    case 'i':
    case 'h':
      return little ? bytes.readInt32LE() : bytes.readInt32BE();
    case 'u':
      return little ? bytes.readUInt32LE() : bytes.readUInt32BE();
    case 'x':
      return little ? bytes.readBigInt64LE() : bytes.readBigInt64BE();
    case 't':
      return little ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE();
    default:
      return little ? bytes.readDoubleLE() : bytes.readDoubleBE();
  }
}

function broken(): GVariantError {
  return new GVariantError('bytes are not a value of their type');
}
