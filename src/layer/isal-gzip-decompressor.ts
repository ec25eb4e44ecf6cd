import { OperationalError } from '../errors/operational-error.js';
import { InflateError, type InflateStep, type IsalInflate } from '../sys/isal.js';
import {
  gzipFollowed,
  refuseJunk,
  type Decompressor,
  type DecompressorPlace,
} from './decompressor.js';
import { MAX_GZIP_HEADER_BYTES, readGzipHeader } from './gzip-header.js';
import { OutputBuffers, type Output } from './output-buffers.js';

/** CRC-32 and length (RFC 1952, section 2.3.1). */
const TRAILER_BYTES = 8;

/** So much of a further member is inflated in this thread first: eStargz has a member for each small file. */
const HERE_BYTES = 16 * 1024;

const NOTHING = Buffer.alloc(0);
const SOMETHING = Buffer.alloc(1);

/**
 * gzip through ISA-L, one member or several, as {@link ZlibGzipDecompressor} takes it. `aside`, while one buffer of output is looked
 * at, the next one is filled in another thread.
 */
export class IsalGzipDecompressor implements Decompressor {
  readonly outputIsShared = true;
  readonly #inflate: IsalInflate;
  readonly #place: DecompressorPlace;
  readonly #buffers: OutputBuffers;
  #state: 'header' | 'deflated' | 'trailer' | 'between' | 'padding' = 'header';
  #members = 0;
  /** Bytes of a header or trailer that is not whole yet. */
  #begun: Buffer = NOTHING;
  /** The last bytes of deflated data that were handed on: at its end some of them turn out not to be its own. */
  #last: Buffer = NOTHING;
  /** Deflated bytes of this member. */
  #taken = 0;
  #crc = 0;
  /** Bytes that came out of this member, modulo 2^32. */
  #size = 0;
  #destroyed = false;

  constructor(inflate: IsalInflate, output: Output, place: DecompressorPlace) {
    this.#inflate = inflate;
    this.#place = place;
    this.#buffers = new OutputBuffers(output);
  }

  async write(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#state === 'deflated') rest = await this.#deflated(rest);
      else if (this.#state === 'header') rest = this.#header(rest);
      else if (this.#state === 'trailer') rest = this.#trailer(rest);
      else if (this.#state === 'between') this.#state = rest[0] === 0 ? 'padding' : 'header';
      else {
        refuseJunk(rest);
        rest = NOTHING;
      }
    }
  }

  async end(): Promise<void> {
    // Whether deflated data is over shows when something follows it.
    if (this.#state === 'deflated') {
      const behind = await this.#deflated(SOMETHING);
      await this.write(behind.subarray(0, -SOMETHING.length));
    }
    this.#buffers.flush();
    if (this.#state !== 'between' && this.#state !== 'padding') throw damaged('unexpected end');
  }

  destroy(): void {
    this.#destroyed = true;
  }

  #header(bytes: Buffer): Buffer {
    const begun = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    const header = readGzipHeader(begun);
    if (typeof header === 'object') {
      throw this.#members === 0 ? damaged(header.problem) : gzipFollowed();
    }
    if (header === undefined) {
      if (begun.length > MAX_GZIP_HEADER_BYTES) throw damaged('its header is too long');
      this.#begun = Buffer.from(begun);
      return NOTHING;
    }
    this.#begun = NOTHING;
    this.#members += 1;
    this.#taken = 0;
    this.#crc = 0;
    this.#size = 0;
    this.#inflate.reset();
    this.#state = 'deflated';
    return begun.subarray(header);
  }

  /** Inflates what is there; gives what stands behind the deflated data. */
  async #deflated(input: Buffer): Promise<Buffer> {
    let position = 0;
    for (;;) {
      const isBegun = this.#members > 1 && this.#taken < HERE_BYTES;
      const isHere = isBegun || this.#place === 'here';
      const part = input.subarray(position, isBegun ? position + HERE_BYTES : undefined);
      const room = await this.#buffers.room();
      const { left, written, ended } = await this.#step({ part, room, isHere });
      this.#crc = this.#inflate.crc32(this.#crc, room.subarray(0, written));
      this.#size = (this.#size + written) >>> 0;
      const isFull = this.#buffers.fill(written);
      position += part.length - left;
      this.#taken += part.length - left;
      if (ended) return this.#behind(input, position);
      if (position === input.length && !isFull) break;
    }
    this.#last = Buffer.concat([this.#last, input.subarray(-TRAILER_BYTES)]).subarray(
      -TRAILER_BYTES,
    );
    return NOTHING;
  }

  /** `position` is negative where some of the last input was not deflated data. */
  #behind(input: Buffer, position: number): Buffer {
    this.#state = 'trailer';
    const behind =
      position >= 0
        ? input.subarray(position)
        : Buffer.concat([this.#last.subarray(position), input]);
    this.#last = NOTHING;
    return behind;
  }

  async #step(work: {
    readonly part: Buffer;
    readonly room: Buffer;
    readonly isHere: boolean;
  }): Promise<InflateStep> {
    if (this.#destroyed) throw new Error('decompression was stopped');
    const { part, room, isHere } = work;
    try {
      if (isHere) {
        const step = this.#inflate.step(part, room);
        this.#buffers.give();
        return step;
      }
      const running = this.#inflate.stepAside(part, room);
      try {
        this.#buffers.give();
      } finally {
        await running.catch(() => undefined);
      }
      return await running;
    } catch (error) {
      if (error instanceof InflateError) throw damaged(error.message, error);
      throw error;
    }
  }

  #trailer(bytes: Buffer): Buffer {
    const begun = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    if (begun.length < TRAILER_BYTES) {
      this.#begun = Buffer.from(begun);
      return NOTHING;
    }
    this.#begun = NOTHING;
    if (begun.readUInt32LE(0) !== this.#crc) throw damaged('incorrect data check');
    if (begun.readUInt32LE(4) !== this.#size) throw damaged('incorrect length check');
    this.#state = 'between';
    return begun.subarray(TRAILER_BYTES);
  }
}

function damaged(problem: string, cause?: unknown): OperationalError {
  return new OperationalError('LAYER_COMPRESSION_INVALID', `the gzip data is damaged: ${problem}`, {
    cause,
  });
}
