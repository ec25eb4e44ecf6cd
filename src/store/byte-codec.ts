/** Bytes of a piece: the record of 100,000 files has 10 MB. */
const PIECE_BYTES = 256 * 1024;

/** Most bytes of a number. */
const NUMBER_BYTES = 8;

/** Writes numbers and byte strings one behind the other, and gives them away by the piece. */
export class ByteWriter {
  readonly #take: (piece: Buffer) => void;
  #buffer: Buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #length = 0;

  /** `take` gets what was written, in order; its memory is used again when it returns. */
  constructor(take: (piece: Buffer) => void) {
    this.#take = take;
  }

  /** Gives away what is left. */
  end(): void {
    this.#take(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }

  /** A safe integer from 0 on, in groups of seven bits, lowest first (LEB128). */
  number(value: number): void {
    this.#reserve(NUMBER_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** A safe integer of either sign. */
  signed(value: number): void {
    this.number(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** A byte string behind its length. */
  text(bytes: string): void {
    this.number(bytes.length);
    this.#reserve(bytes.length);
    this.#length += this.#buffer.write(bytes, this.#length, 'latin1');
  }

  /** Bytes behind their number. */
  blob(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.raw(bytes);
  }

  /** Bytes whose number the reader knows. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The same of bytes that are given as lower-case hexadecimal digits. */
  hex(digits: string): void {
    this.#reserve(digits.length / 2);
    this.#length += this.#buffer.write(digits, this.#length, 'hex');
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length - this.#length) return;
    this.end();
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(bytes);
  }
}

/** Reads what {@link ByteWriter} wrote. Everything throws `RangeError` where the bytes end too early or make no sense. */
export class ByteReader {
  readonly bytes: Buffer;
  /** Where the next byte is read. */
  position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.position === this.bytes.length;
  }

  /** Another reader of the same bytes. */
  at(position: number): ByteReader {
    const reader = new ByteReader(this.bytes);
    reader.position = position;
    return reader;
  }

  number(): number {
    const { bytes } = this;
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = bytes[this.position++];
      if (byte === undefined) throw new RangeError('the data ends inside a number');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    // Bits end at 32.
    for (let scale = 0x80 ** 4; ; scale *= 0x80) {
      const byte = bytes[this.position++];
      if (byte === undefined) throw new RangeError('the data ends inside a number');
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new RangeError('a number is too large');
      if (byte < 0x80) return value;
    }
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    const start = this.skip(this.number());
    return this.bytes.toString('latin1', start, this.position);
  }

  /** Shares memory with the input. */
  blob(): Buffer {
    const start = this.skip(this.number());
    return this.bytes.subarray(start, this.position);
  }

  /** A number of things to come: no more than there are bytes left, so that damage cannot make a loop endless. */
  count(): number {
    const value = this.number();
    if (value > this.bytes.length - this.position) throw new RangeError('a count is too large');
    return value;
  }

  /** Goes on by so many bytes; where they begin. */
  skip(bytes: number): number {
    const start = this.position;
    if (bytes > this.bytes.length - start) throw new RangeError('the data ends too early');
    this.position += bytes;
    return start;
  }
}
