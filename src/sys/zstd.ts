import { OperationalError } from '../errors/operational-error.js';
import { loadKoffi } from './libc.js';

/*
 * libzstd's streaming decoder. Its structures are laid out here, not by koffi: three words each, which a call reads and
 * writes in place, also from another thread.
 */

/** What one call did. */
export interface ZstdStep {
  /** Bytes of the input that were taken. */
  readonly read: number;
  /** Bytes that were put into the output. */
  readonly written: number;
  /** Whether a frame ended here, all of it written out. */
  readonly frameEnded: boolean;
}

/** What libzstd says of data that it cannot decode: its own words. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError';
}

/** A decoder context of libzstd; opaque. */
type Context = bigint | object;

type SizeCall = (
  context: Context,
  output: BigUint64Array,
  input: BigUint64Array,
) => bigint | number;

/** The functions of libzstd that are used. */
interface Libzstd {
  create(): Context | null;
  free(context: Context): bigint | number;
  setParameter(context: Context, parameter: number, value: number): bigint | number;
  decompress: SizeCall & {
    async(
      context: Context,
      output: BigUint64Array,
      input: BigUint64Array,
      callback: (error: Error | null, result: bigint | number) => void,
    ): void;
  };
  isError(code: bigint | number): number;
  errorName(code: bigint | number): string;
  address(bytes: Uint8Array): bigint;
}

/** `ZSTD_d_windowLogMax` of zstd.h. */
const WINDOW_LOG_MAX = 100;

/** Words of `ZSTD_inBuffer` and `ZSTD_outBuffer`: address, size, position. */
const ADDRESS = 0;
const SIZE = 1;
const POSITION = 2;

/** One stream being decoded: any number of frames, one after the other. Give it back by disposing of it, never during a call. */
export class ZstdContext implements Disposable {
  readonly #library: Libzstd;
  #context: Context | undefined;
  readonly #output = new BigUint64Array(3);
  readonly #input = new BigUint64Array(3);
  readonly #held: Uint8Array[] = [];

  /**
   * @param windowLogMax binary logarithm of the largest window that is accepted, in bytes
   * @throws {@link OperationalError} LIBRARY_MISSING
   */
  constructor(windowLogMax: number) {
    this.#library = loadLibzstd();
    const context = this.#library.create();
    if (context === null) throw new Error('internal error: libzstd has no memory for a decoder');
    this.#context = context;
    this.#check(this.#library.setParameter(context, WINDOW_LOG_MAX, windowLogMax));
  }

  /**
   * Decodes in this thread.
   *
   * @throws {@link ZstdError}
   */
  step(input: Uint8Array, output: Uint8Array): ZstdStep {
    const context = this.#begin(input, output);
    return this.#end(this.#library.decompress(context, this.#output, this.#input));
  }

  /**
   * Decodes in another thread; both buffers stay as they are until it is done. One call at a time.
   *
   * @throws {@link ZstdError}
   */
  async stepAside(input: Uint8Array, output: Uint8Array): Promise<ZstdStep> {
    const context = this.#begin(input, output);
    // All that the call has of them is their addresses.
    this.#held.push(input, output);
    try {
      const result = await new Promise<bigint | number>((resolve, reject) => {
        this.#library.decompress.async(context, this.#output, this.#input, (error, value) => {
          if (error === null) resolve(value);
          else reject(error);
        });
      });
      return this.#end(result);
    } finally {
      this.#held.length = 0;
    }
  }

  [Symbol.dispose](): void {
    if (this.#context !== undefined) this.#library.free(this.#context);
    this.#context = undefined;
  }

  #begin(input: Uint8Array, output: Uint8Array): Context {
    if (this.#context === undefined) throw new Error('internal error: this decoder was given back');
    fill(this.#input, this.#library.address(input), input.length);
    fill(this.#output, this.#library.address(output), output.length);
    return this.#context;
  }

  #end(result: bigint | number): ZstdStep {
    this.#check(result);
    return {
      read: Number(this.#input[POSITION]),
      written: Number(this.#output[POSITION]),
      frameEnded: Number(result) === 0,
    };
  }

  #check(result: bigint | number): void {
    if (this.#library.isError(result) !== 0) throw new ZstdError(this.#library.errorName(result));
  }
}

/** Whether libzstd can be loaded. */
export function hasLibzstd(): boolean {
  try {
    loadLibzstd();
    return true;
  } catch (error) {
    if (error instanceof OperationalError) return false;
    throw error;
  }
}

let loaded: Libzstd | undefined;

/**
 * Loads libzstd, once.
 *
 * @throws {@link OperationalError} LIBRARY_MISSING
 */
export function requireLibzstd(): void {
  loadLibzstd();
}

function loadLibzstd(): Libzstd {
  loaded ??= bindLibrary();
  return loaded;
}

function bindLibrary(): Libzstd {
  const koffi = loadKoffi();
  let library;
  try {
    // Node 24 has a libzstd of its own and shows its symbols: this one would call into that, which is another version.
    library = koffi.load('libzstd.so.1', { deep: true });
  } catch (cause) {
    throw new OperationalError(
      'LIBRARY_MISSING',
      'a layer is compressed with zstd, and libzstd, which unpacks it, is not installed',
      { hint: 'apt install libzstd1 (or the package that your distribution calls it)', cause },
    );
  }
  return {
    create: library.func('void *ZSTD_createDCtx(void)'),
    free: library.func('size_t ZSTD_freeDCtx(void *dctx)'),
    setParameter: library.func('size_t ZSTD_DCtx_setParameter(void *dctx, int param, int value)'),
    decompress: library.func('size_t ZSTD_decompressStream(void *zds, void *output, void *input)'),
    isError: library.func('uint32_t ZSTD_isError(size_t code)'),
    errorName: library.func('const char *ZSTD_getErrorName(size_t code)'),
    address: (bytes: Uint8Array) => koffi.address(bytes),
  };
}

function fill(buffer: BigUint64Array, address: bigint, size: number): void {
  buffer[ADDRESS] = address;
  buffer[SIZE] = BigInt(size);
  buffer[POSITION] = 0n;
}
