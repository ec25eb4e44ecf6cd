import { OperationalError } from '../errors/operational-error.js';

/*
 * Where the frames of zstd data begin and end (RFC 8878, section 3.1), read beside the decoder. Decoders differ in what they
 * do with several frames, with an end in the middle and with what follows the last one; here it is decided once, and they
 * get nothing but acceptable frames. It costs a look at each block header: one for some 128 KiB of content.
 */

/** Largest window, as a binary logarithm: 128 MiB, what `zstd --long` makes and the most that its own decoder takes unasked. */
export const MAX_WINDOW_LOG = 27;

/** Bytes of a frame, as they stand in a piece. */
export interface FramePart {
  readonly bytes: Buffer;
  /** Whether the frame ends with them. */
  readonly last: boolean;
}

const FRAME_MAGIC = 0xfd2fb528;
/** `0x184D2A50` to `0x184D2A5F`. */
const SKIPPABLE_MAGIC = 0x184d2a5;

const FIELD_BYTES = { magic: 4, skipSize: 4, descriptor: 1, block: 3, checksum: 4 } as const;

/** Window, dictionary id and content size at their longest. */
const MAX_FIELD_BYTES = 1 + 4 + 8;

const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

type Field = keyof typeof FIELD_BYTES | 'header';

/** What a finished field means for the bytes around it. */
type Turn = 'frame-begins' | 'frame-ends' | undefined;

/** Finds the frames in pieces of data. */
export class ZstdFrames {
  #field: Field = 'magic';
  readonly #bytes = Buffer.alloc(MAX_FIELD_BYTES);
  #filled = 0;
  #wanted: number = FIELD_BYTES.magic;
  /** Bytes of a block's body or of a skippable frame that come before the next field. */
  #bulk = 0;
  #inFrame = false;
  #isLastBlock = false;
  #descriptor = 0;

  /**
   * The parts of the next piece that are to be decoded, in order; skippable frames are left out.
   *
   * @throws `OperationalError` LAYER_COMPRESSION_INVALID, LAYER_LIMIT_EXCEEDED
   */
  *parts(piece: Buffer): Generator<FramePart, void, undefined> {
    let start = this.#inFrame ? 0 : piece.length;
    let position = 0;
    while (position < piece.length) {
      const before = position;
      let turn: Turn;
      if (this.#bulk > 0) {
        position += this.#passBulk(piece.length - position);
        if (this.#bulk === 0) turn = this.#bulkDone();
      } else {
        position += this.#fill(piece.subarray(position));
        if (this.#filled === this.#wanted) turn = this.#fieldDone();
      }
      if (turn === 'frame-begins') {
        start = before;
        if (position - before < FIELD_BYTES.magic) {
          // The magic number began in the piece before, and was held back: it could have been a skippable frame's.
          yield { bytes: Buffer.from(this.#bytes.subarray(0, FIELD_BYTES.magic)), last: false };
          start = position;
        }
      } else if (turn === 'frame-ends') {
        yield { bytes: piece.subarray(start, position), last: true };
        start = piece.length;
      }
    }
    if (start < piece.length) yield { bytes: piece.subarray(start), last: false };
  }

  /**
   * Says that no more pieces come.
   *
   * @throws `OperationalError` LAYER_COMPRESSION_INVALID if a frame lacks its end
   */
  end(): void {
    if (this.#field === 'magic' && this.#filled === 0 && this.#bulk === 0) return;
    throw invalid('it ends in the middle of a frame');
  }

  #passBulk(available: number): number {
    const count = Math.min(this.#bulk, available);
    this.#bulk -= count;
    return count;
  }

  #fill(bytes: Buffer): number {
    const count = bytes.copy(this.#bytes, this.#filled, 0, this.#wanted - this.#filled);
    this.#filled += count;
    return count;
  }

  #expect(field: Field, bytes: number): void {
    this.#field = field;
    this.#wanted = bytes;
    this.#filled = 0;
  }

  #fieldDone(): Turn {
    switch (this.#field) {
      case 'magic':
        return this.#magicDone();
      case 'skipSize':
        this.#bulk = this.#bytes.readUInt32LE(0);
        this.#expect('magic', FIELD_BYTES.magic);
        return undefined;
      case 'descriptor':
        this.#descriptorDone();
        return undefined;
      case 'header':
        this.#checkWindow();
        this.#expect('block', FIELD_BYTES.block);
        return undefined;
      case 'block':
        return this.#blockDone();
      case 'checksum':
        return this.#frameDone();
    }
  }

  #magicDone(): Turn {
    const magic = this.#bytes.readUInt32LE(0);
    if (magic >>> 4 === SKIPPABLE_MAGIC) {
      this.#expect('skipSize', FIELD_BYTES.skipSize);
      return undefined;
    }
    if (magic !== FRAME_MAGIC) throw invalid('what follows is not a frame');
    this.#inFrame = true;
    this.#expect('descriptor', FIELD_BYTES.descriptor);
    return 'frame-begins';
  }

  #descriptorDone(): void {
    this.#descriptor = this.#bytes[0] ?? 0;
    if ((this.#descriptor & 0x08) !== 0) throw invalid('a frame sets a reserved bit');
    if ((this.#descriptor & 0x03) !== 0) throw invalid('a frame wants a dictionary');
    const sizeBytes = this.#contentSizeBytes();
    const bytes = (this.#isSingleSegment() ? 0 : 1) + sizeBytes;
    this.#expect('header', bytes);
  }

  #isSingleSegment(): boolean {
    return (this.#descriptor & 0x20) !== 0;
  }

  #contentSizeBytes(): number {
    const flag = this.#descriptor >> 6;
    return flag === 0 ? (this.#isSingleSegment() ? 1 : 0) : 1 << flag;
  }

  /** Memory that decoding takes is the window's size, which the data itself names: up to 3.75 TiB. */
  #checkWindow(): void {
    const window = this.#isSingleSegment() ? this.#contentSize() : windowOf(this.#bytes[0] ?? 0);
    if (window <= 2 ** MAX_WINDOW_LOG) return;
    throw new OperationalError(
      'LAYER_LIMIT_EXCEEDED',
      `unpacking the layer takes a window of ${window} bytes, more than the ${2 ** MAX_WINDOW_LOG} that berth gives`,
      { hint: 'compress it without zstd --ultra --long' },
    );
  }

  #contentSize(): number {
    const bytes = this.#contentSizeBytes();
    if (bytes === 8) return Number(this.#bytes.readBigUInt64LE(0));
    // Two bytes begin where one byte ends.
    return this.#bytes.readUIntLE(0, bytes) + (bytes === 2 ? 256 : 0);
  }

  #blockDone(): Turn {
    const header = this.#bytes.readUIntLE(0, FIELD_BYTES.block);
    const type = (header >> 1) & 3;
    if (type === BLOCK_RESERVED) throw invalid('a block is of a reserved type');
    this.#isLastBlock = (header & 1) !== 0;
    this.#bulk = type === BLOCK_RLE ? 1 : header >> 3;
    return this.#bulk === 0 ? this.#bulkDone() : undefined;
  }

  /** After a block's body; after a skippable frame the next magic number is expected already. */
  #bulkDone(): Turn {
    if (!this.#inFrame) return undefined;
    if (!this.#isLastBlock) {
      this.#expect('block', FIELD_BYTES.block);
      return undefined;
    }
    if ((this.#descriptor & 0x04) === 0) return this.#frameDone();
    this.#expect('checksum', FIELD_BYTES.checksum);
    return undefined;
  }

  #frameDone(): Turn {
    this.#inFrame = false;
    this.#expect('magic', FIELD_BYTES.magic);
    return 'frame-ends';
  }
}

function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function invalid(problem: string): OperationalError {
  return new OperationalError('LAYER_COMPRESSION_INVALID', `the zstd data is damaged: ${problem}`);
}
