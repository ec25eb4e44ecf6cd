import type { KoffiFunc } from 'koffi';

import { loadKoffi } from './libc.js';

/*
 * inflate of ISA-L (libisal), which takes three quarters of the time of zlib's. Of its structure only what stands at the
 * beginning is used here, which is the same in all versions of its interface 2:
 *
 *   uint8_t *next_out; uint32_t avail_out; uint32_t total_out; uint8_t *next_in;
 *   uint64_t read_in; uint32_t avail_in; int32_t read_in_length;
 *
 * It is tried out when it is loaded: a library that is laid out in another way counts as missing.
 */

/** `struct inflate_state` is some 90 KB: tables, and the window. */
const STATE_BYTES = 256 * 1024;

/** Words of eight bytes, and of four. */
const NEXT_OUT = 0;
const AVAIL_OUT = 2;
const NEXT_IN = 2;
const AVAIL_IN = 8;
const READ_IN_LENGTH = 9;

type Call = KoffiFunc<(...args: readonly unknown[]) => number>;

interface Isal {
  readonly init: Call;
  readonly reset: Call;
  readonly inflate: Call;
  readonly crc32: Call;
  address(bytes: Uint8Array): bigint;
}

/** What one call did. */
export interface InflateStep {
  /** Bytes of the input that are not used; where the data ended, up to 8 bytes of earlier inputs count, too. */
  readonly left: number;
  /** Bytes that were put into the output. */
  readonly written: number;
  /** Whether the data is over. It is told only where something follows it. */
  readonly ended: boolean;
}

/** Data that is not deflated as RFC 1951 has it. */
export class InflateError extends Error {
  override readonly name = 'InflateError';
}

/** Data without a wrapper (RFC 1951) being inflated, one stream after the other. */
export class IsalInflate {
  readonly #library: Isal;
  readonly #state = new ArrayBuffer(STATE_BYTES);
  readonly #bytes = new Uint8Array(this.#state);
  readonly #words = new BigUint64Array(this.#state);
  readonly #halfWords = new Uint32Array(this.#state);
  /** What a call in another thread has the addresses of. */
  #held: readonly Uint8Array[] = [];

  /** To be made by {@link createIsalInflate}. */
  constructor(library: Isal) {
    this.#library = library;
    library.init(this.#bytes);
  }

  /** Begins with the next stream. */
  reset(): void {
    this.#library.reset(this.#bytes);
  }

  /** Inflates in this thread. @throws {@link InflateError} */
  step(input: Uint8Array, output: Uint8Array): InflateStep {
    this.#begin(input, output);
    return this.#end(this.#library.inflate(this.#bytes), input, output);
  }

  /** Inflates in another thread; both buffers stay as they are until it is done. One call at a time. @throws {@link InflateError} */
  async stepAside(input: Uint8Array, output: Uint8Array): Promise<InflateStep> {
    this.#begin(input, output);
    this.#held = [input, output];
    try {
      const result = await new Promise<number>((resolve, reject) => {
        this.#library.inflate.async(this.#bytes, (error: Error | null, value: number) => {
          if (error === null) resolve(value);
          else reject(error);
        });
      });
      return this.#end(result, input, output);
    } finally {
      this.#held = [];
    }
  }

  /** CRC-32 as gzip has it (RFC 1952, section 8) of what came before and of more. */
  crc32(before: number, more: Uint8Array): number {
    return this.#library.crc32(before, more, more.length);
  }

  #begin(input: Uint8Array, output: Uint8Array): void {
    if (this.#held.length > 0) throw new Error('internal error: inflating is under way');
    this.#words[NEXT_OUT] = this.#library.address(output);
    this.#halfWords[AVAIL_OUT] = output.length;
    this.#words[NEXT_IN] = this.#library.address(input);
    this.#halfWords[AVAIL_IN] = input.length;
  }

  #end(result: number, input: Uint8Array, output: Uint8Array): InflateStep {
    if (result !== 0) throw new InflateError(reasons.get(result) ?? `libisal says ${result}`);
    const availIn = this.#halfWords[AVAIL_IN] ?? 0;
    const availOut = this.#halfWords[AVAIL_OUT] ?? 0;
    // It stops where neither input nor room is missing, and at the end only. Versions from 2.31.1 on give back by themselves
    // what they have read of what follows; the others still have it as bits.
    const ended = availIn > input.length || (availIn > 0 && availOut > 0);
    const unread = ended ? (this.#halfWords[READ_IN_LENGTH] ?? 0) >>> 3 : 0;
    return { left: availIn + unread, written: output.length - availOut, ended };
  }
}

/** `ISAL_INVALID_…` of igzip_lib.h. */
const reasons: ReadonlyMap<number, string> = new Map([
  [-1, 'invalid block type or code lengths'],
  [-2, 'invalid code'],
  [-3, 'invalid distance'],
]);

let loaded: Isal | 'missing' | undefined;

/** Something that inflates with libisal; undefined where the host has none, or one that works in another way. */
export function createIsalInflate(): IsalInflate | undefined {
  loaded ??= bindLibrary() ?? 'missing';
  return loaded === 'missing' ? undefined : new IsalInflate(loaded);
}

function bindLibrary(): Isal | undefined {
  const koffi = loadKoffi();
  try {
    const library = koffi.load('libisal.so.2');
    const found: Isal = {
      init: library.func('void isal_inflate_init(void *state)'),
      reset: library.func('void isal_inflate_reset(void *state)'),
      inflate: library.func('int isal_inflate(void *state)'),
      crc32: library.func(
        'uint32_t crc32_gzip_refl(uint32_t before, const void *bytes, uint64_t count)',
      ),
      address: (bytes) => koffi.address(bytes),
    };
    return works(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** "berth" three times, deflated by zlib, and four bytes behind it. */
const SAMPLE = Buffer.from('4b4a2d2ac94882130001020304', 'hex');
const SAMPLE_BEHIND = 4;
const SAMPLE_TEXT = 'berth'.repeat(3);
const SAMPLE_CRC = 0x43b02716;

function works(library: Isal): boolean {
  const output = Buffer.alloc(64);
  const inflate = new IsalInflate(library);
  const first = inflate.step(SAMPLE, output);
  const more = Buffer.alloc(1);
  const last = first.ended ? first : inflate.step(more, output.subarray(first.written));
  const left = last.left - (first.ended ? 0 : more.length);
  const text = output.subarray(0, SAMPLE_TEXT.length);
  return (
    last.ended &&
    left === SAMPLE_BEHIND &&
    first.written === text.length &&
    text.toString('latin1') === SAMPLE_TEXT &&
    inflate.crc32(0, text) === SAMPLE_CRC
  );
}
