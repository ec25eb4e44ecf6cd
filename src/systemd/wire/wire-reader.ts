import { alignmentOf, endOfType, malformed, MAX_DEPTH } from './wire-type.js';
import { Variant } from './variant.js';

/** The elements of an array: where their type stands, and where the last one ends. */
interface Elements {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

/**
 * Reads values of a message (D-Bus Specification, "Marshaling"). Integers of 64 bits come as bigint, other numbers as number,
 * `ay` as bytes, dictionaries as objects without a prototype, structures as lists, variants as {@link Variant}.
 */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #little: boolean;
  #at: number;

  /** `bytes` is the whole message: values are aligned from its beginning. They are copied out of it. */
  constructor(bytes: Buffer, options: { readonly little: boolean; readonly at: number }) {
    this.#bytes = bytes;
    this.#little = options.little;
    this.#at = options.at;
  }

  /** The values of a signature, one after the other. */
  readAll(signature: string): unknown[] {
    return this.#readTypes(signature, { from: 0, end: signature.length, depth: 0 });
  }

  /** Goes to the next multiple of `alignment`. */
  align(alignment: number): void {
    this.#at = Math.ceil(this.#at / alignment) * alignment;
  }

  #readTypes(
    signature: string,
    { from, end, depth }: { readonly from: number; readonly end: number; readonly depth: number },
  ): unknown[] {
    const values: unknown[] = [];
    for (let at = from; at < end; at = endOfType(signature, at)) {
      values.push(this.#readType(signature, at, depth));
    }
    return values;
  }

  #readType(signature: string, start: number, depth: number): unknown {
    if (depth > MAX_DEPTH) throw malformed('it is nested too deeply');
    const type = signature[start] ?? '';
    this.align(alignmentOf(type));
    switch (type) {
      case 'a':
        return this.#readArray(signature, start + 1, depth + 1);
      case '(': {
        const end = endOfType(signature, start) - 1;
        return this.#readTypes(signature, { from: start + 1, end, depth: depth + 1 });
      }
      case 'v': {
        const inner = this.#readText(this.#take(1).readUInt8());
        if (inner === '' || endOfType(inner, 0) !== inner.length)
          throw malformed('a variant is not of one type');
        return new Variant(inner, this.#readType(inner, 0, depth + 1));
      }
      case 's':
      case 'o':
        return this.#readText(this.#readLength());
      case 'g':
        return this.#readText(this.#take(1).readUInt8());
      case 'b':
        return this.#readLength() !== 0;
      default:
        return this.#readNumber(type);
    }
  }

  #readArray(signature: string, start: number, depth: number): unknown {
    const length = this.#readLength();
    const type = signature[start] ?? '';
    this.align(alignmentOf(type));
    if (type === 'y') return Buffer.from(this.#take(length));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed('an array ends after it');
    const values =
      type === '{'
        ? this.#readDictionary(signature, { start, end, depth })
        : this.#readElements(signature, { start, end, depth });
    if (this.#at !== end) throw malformed('a value ends after its array');
    return values;
  }

  #readElements(signature: string, { start, end, depth }: Elements): unknown[] {
    const values: unknown[] = [];
    while (this.#at < end) values.push(this.#readType(signature, start, depth));
    return values;
  }

  #readDictionary(signature: string, { start, end, depth }: Elements): unknown {
    const entries = Object.create(null) as Record<string, unknown>;
    while (this.#at < end) {
      this.align(8);
      const key = this.#readType(signature, start + 1, depth + 1);
      entries[String(key)] = this.#readType(signature, start + 2, depth + 1);
    }
    return entries;
  }

  #readNumber(type: string): number | bigint {
    const bytes = this.#take(alignmentOf(type));
    const little = this.#little;
    switch (type) {
      case 'y':
        return bytes.readUInt8();
      case 'n':
        return little ? bytes.readInt16LE() : bytes.readInt16BE();
      case 'q':
        return little ? bytes.readUInt16LE() : bytes.readUInt16BE();
      case 'i':
        return little ? bytes.readInt32LE() : bytes.readInt32BE();
      case 'x':
        return little ? bytes.readBigInt64LE() : bytes.readBigInt64BE();
      case 't':
        return little ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE();
      case 'd':
        return little ? bytes.readDoubleLE() : bytes.readDoubleBE();
      default: // `u`, and `h`, which is a number too
        return little ? bytes.readUInt32LE() : bytes.readUInt32BE();
    }
  }

  #readLength(): number {
    const at = this.#at;
    this.#skip(4);
    return this.#little ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }

  /** Text of `length` bytes, and the zero behind it. */
  #readText(length: number): string {
    const at = this.#at;
    this.#skip(length + 1);
    return this.#bytes.toString('utf8', at, at + length);
  }

  #take(length: number): Buffer {
    const at = this.#at;
    this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  #skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#bytes.length) throw malformed('a value ends after it');
  }
}
