/**
 * Pieces of output. Each is handed to another thread, and waking that costs more than the cache misses of larger pieces: a pull of
 * 400 MB takes 4 % less time than with 512 KiB. With zlib's own 16 KiB inflating alone takes a fifth more.
 */
export const OUTPUT_BYTES = 1024 * 1024;

/**
 * One is filled, one is looked at, the others are still being hashed and written elsewhere. More gain nothing, and layers that are
 * fetched side by side have as many each.
 */
const MAX_BUFFERS = 4;

/** Buffers that wait for the next layer: those of four that are fetched side by side. */
const MAX_SPARE = 4 * MAX_BUFFERS;

/**
 * Of layers that are done. The engine frees memory that threads share late, when it looks through all of its heap: ten layers
 * left 20 MB behind.
 */
const spare: Buffer[] = [];

/** What comes out of a decompressor. */
export interface Output {
  /** Takes a piece, which is good during the call, and until {@link Output.inUse} says that it is done with. */
  readonly take: (piece: Buffer) => void;
  /** Settles, and never rejects, when nobody looks any more at what was taken up to now; undefined where nobody does. */
  readonly inUse?: (() => Promise<unknown> | undefined) | undefined;
}

/**
 * Memory that is filled by another thread while what was filled before is looked at, and used again and again: asking the
 * kernel and the engine for new memory and giving it back takes a fifth of the processor's time of a pull. Threads of the
 * program share it, so that files are made of it elsewhere.
 */
export class OutputBuffers {
  readonly #output: Output;
  #count = 0;
  /** Those that nobody looks at. The one that was looked at last is taken first: it is still in a cache. */
  readonly #free: Buffer[] = [];
  readonly #taken = new Set<Promise<void>>();
  #current: Buffer | undefined;
  #filled = 0;
  /** Full, and not yet given out. */
  #full: Buffer | undefined;
  #isOver = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** What is to be filled next. */
  async room(): Promise<Buffer> {
    this.#current ??= await this.#next();
    return this.#current.subarray(this.#filled);
  }

  /** Says how much of it was filled; gives whether that is all of it. */
  fill(bytes: number): boolean {
    this.#filled += bytes;
    if (this.#filled < OUTPUT_BYTES) return false;
    this.give();
    this.#full = this.#current;
    this.#current = undefined;
    this.#filled = 0;
    return true;
  }

  /** Gives out what is full: to be called while the next one is being filled. */
  give(): void {
    const full = this.#full;
    this.#full = undefined;
    if (full !== undefined) this.#give(full, full);
  }

  /** Gives out all that is there: nothing is filled any more, and what nobody looks at is for others. */
  flush(): void {
    this.give();
    this.#isOver = true;
    for (const buffer of this.#free.splice(0)) this.#release(buffer);
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    if (this.#filled === 0) this.#release(current);
    else this.#give(current, current.subarray(0, this.#filled));
  }

  #give(buffer: Buffer, piece: Buffer): void {
    this.#output.take(piece);
    const use = this.#output.inUse?.();
    if (use === undefined) {
      this.#release(buffer);
      return;
    }
    const taken = use.then(() => {
      this.#release(buffer);
      this.#taken.delete(taken);
    });
    this.#taken.add(taken);
  }

  #release(buffer: Buffer): void {
    if (!this.#isOver) this.#free.push(buffer);
    else if (spare.length < MAX_SPARE) spare.push(buffer);
  }

  async #next(): Promise<Buffer> {
    if (this.#free.length === 0 && this.#count === MAX_BUFFERS) await Promise.race(this.#taken);
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#count += 1;
    return spare.pop() ?? Buffer.from(new SharedArrayBuffer(OUTPUT_BYTES));
  }
}
