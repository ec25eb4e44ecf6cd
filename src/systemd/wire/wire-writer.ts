import { alignmentOf, endOfType } from './wire-type.js';
import type { Variant } from './variant.js';

/** Bytes that a new message has room for; it grows. */
const FIRST_SIZE = 512;

/** Writes values of a message, little end first: the opposite of {@link WireReader}, with lists of pairs for dictionaries. */
export class WireWriter {
  #bytes = Buffer.alloc(FIRST_SIZE);
  #at = 0;

  /** What was written. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** Fills with zeros up to the next multiple of `alignment`. */
  align(alignment: number): void {
    this.#grow(Math.ceil(this.#at / alignment) * alignment - this.#at);
  }

  /** Writes a number that was not known when its place was passed. */
  patch(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  /** Writes one value for each type of the signature. */
  writeAll(signature: string, values: readonly unknown[]): void {
    let index = 0;
    for (let at = 0; at < signature.length; at = endOfType(signature, at)) {
      this.#write(signature, at, values[index++]);
    }
    if (index !== values.length)
      throw new Error(`internal error: ${values.length} values for '${signature}'`);
  }

  #write(signature: string, start: number, value: unknown): void {
    const type = signature[start] ?? '';
    this.align(alignmentOf(type));
    switch (type) {
      case 'a':
        this.#writeArray(signature, start + 1, value as readonly unknown[]);
        return;
      case '(':
      case '{':
        this.writeAll(
          signature.slice(start + 1, endOfType(signature, start) - 1),
          value as readonly unknown[],
        );
        return;
      case 'v': {
        const { signature: inner, value: content } = value as Variant;
        this.#writeText(inner, 1);
        this.#write(inner, 0, content);
        return;
      }
      case 's':
      case 'o':
        this.#writeText(value as string, 4);
        return;
      case 'g':
        this.#writeText(value as string, 1);
        return;
      default:
        this.#writeNumber(type, value);
    }
  }

  #writeArray(signature: string, start: number, values: readonly unknown[]): void {
    const lengthAt = this.#grow(4);
    this.align(alignmentOf(signature[start] ?? ''));
    const begin = this.#at;
    for (const value of values) this.#write(signature, start, value);
    this.patch(lengthAt, this.#at - begin);
  }

  #writeText(text: string, lengthBytes: 1 | 4): void {
    if (text.includes('\0')) throw new Error('internal error: a NUL in a D-Bus string');
    const length = Buffer.byteLength(text);
    const at = this.#grow(lengthBytes + length + 1);
    this.#bytes.writeUIntLE(length, at, lengthBytes);
    this.#bytes.write(text, at + lengthBytes);
  }

  #writeNumber(type: string, value: unknown): void {
    const at = this.#grow(alignmentOf(type));
    const bytes = this.#bytes;
    switch (type) {
      case 'b':
        bytes.writeUInt32LE(value === true ? 1 : 0, at);
        return;
      case 'y':
        bytes.writeUInt8(value as number, at);
        return;
      case 'n':
        bytes.writeInt16LE(value as number, at);
        return;
      case 'q':
        bytes.writeUInt16LE(value as number, at);
        return;
      case 'i':
        bytes.writeInt32LE(value as number, at);
        return;
      case 'x':
        bytes.writeBigInt64LE(BigInt(value as bigint | number), at);
        return;
      case 't':
        bytes.writeBigUInt64LE(BigInt(value as bigint | number), at);
        return;
      case 'd':
        bytes.writeDoubleLE(value as number, at);
        return;
      default:
        bytes.writeUInt32LE(value as number, at);
    }
  }

  /** Makes room for so many bytes, zeros until they are written, and gives where they begin. */
  #grow(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#at, this.#bytes.length * 2));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return at;
  }
}
