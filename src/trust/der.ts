import { OperationalError } from '../errors/operational-error.js';

/** Tags of DER (ITU-T X.690, section 8) that certificates are made of. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalTime: 0x18,
  sequence: 0x30,
} as const;

/** A value with its tag. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length, as it stands. */
  readonly raw: Buffer;
}

/**
 * Reads values of DER one after the other. Only what DER allows is taken – tags of one byte, the shortest form of a length –, so that
 * nothing can be read in two ways.
 */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #position = 0;

  /** @param what What is read, for messages */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  /** The next value, whatever it is. */
  any(): DerValue {
    const start = this.#position;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) this.fail('has a tag of more than one byte');
    const length = this.#length();
    const end = this.#position + length;
    if (end > this.#bytes.length) this.fail('ends too early');
    const content = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return { tag, content, raw: this.#bytes.subarray(start, end) };
  }

  /** The next value, which has to be of a tag. */
  value(tag: number): DerValue {
    const found = this.any();
    if (found.tag !== tag) this.fail(`has a value of kind ${found.tag} in place of ${tag}`);
    return found;
  }

  /** The next value if it is of a tag. */
  optional(tag: number): DerValue | undefined {
    return this.#bytes[this.#position] === tag ? this.any() : undefined;
  }

  /** What is in the next value, to be read. */
  inside(tag: number): DerReader {
    return new DerReader(this.value(tag).content, this.#what);
  }

  /** An object identifier in dots. */
  oid(): string {
    const { content } = this.value(DER.oid);
    const arcs: number[] = [];
    let arc = 0;
    for (const [index, byte] of content.entries()) {
      if (arc === 0 && byte === 0x80) this.fail('has an object identifier that is too long');
      arc = arc * 128 + (byte & 0x7f);
      if (!Number.isSafeInteger(arc)) this.fail('has an object identifier of too large a number');
      if ((byte & 0x80) === 0) {
        arcs.push(arc);
        arc = 0;
      } else if (index === content.length - 1)
        this.fail('has an object identifier that is cut off');
    }
    const [first] = arcs;
    if (first === undefined) this.fail('has an empty object identifier');
    const root = Math.min(2, Math.floor(first / 40));
    return [root, first - 40 * root, ...arcs.slice(1)].join('.');
  }

  /** The next value where it is a boolean, which is false where none stands. */
  flag(): boolean {
    const found = this.optional(DER.boolean);
    if (found === undefined) return false;
    // A default that is written out is not DER, and older authorities write it.
    const [byte] = found.content;
    if (found.content.length !== 1 || (byte !== 0 && byte !== 0xff))
      this.fail('has a boolean that is none');
    return byte === 0xff;
  }

  /** The content of a bit string of whole bytes. */
  bits(): Buffer {
    const { content } = this.value(DER.bits);
    if (content.length === 0 || content[0] !== 0) this.fail('has bits that are no whole bytes');
    return content.subarray(1);
  }

  /** A time in whole seconds of UTC (RFC 5280, section 4.1.2.5), in milliseconds since the epoch. */
  time(): number {
    const { tag, content } = this.any();
    const text = content.toString('latin1');
    const isShort = tag === DER.utcTime;
    if (!isShort && tag !== DER.generalTime) this.fail('has something else in place of a time');
    const [, years = '', rest = ''] =
      (isShort ? /^(\d{2})(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(text) ?? [];
    const year = isShort ? Number(years) + (Number(years) < 50 ? 2000 : 1900) : Number(years);
    const iso = `${String(year).padStart(4, '0')}-${rest.replace(/^(..)(..)(..)(..)(..)$/, '$1-$2T$3:$4:$5')}.000Z`;
    const ms = Date.parse(iso);
    // A thirtieth of February is read as some day of March by those who are not asked twice.
    if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso)
      this.fail('has a time that is none');
    return ms;
  }

  /** Asserts that nothing follows. */
  end(): void {
    if (!this.isAtEnd) this.fail('has something after its end');
  }

  fail(why: string): never {
    throw new OperationalError('SIGNATURE_INVALID', `${this.#what} ${why}`);
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 3) this.fail('has a length that is open or too large');
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) this.fail('has a length in too many bytes');
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined) this.fail('ends too early');
    this.#position += 1;
    return byte;
  }
}
