import type { Transform } from 'node:stream';

import { noteFlow } from '../base/collect-flow.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Output } from './output-buffers.js';

/** Pieces of output that others look at while more is inflated: they are not used again, and must not gather. */
const MAX_LENT = 4;

/** A decompressing stream of node:zlib. */
export type InflatingStream = Transform & {
  /** Bytes of input that were used up. */
  readonly bytesWritten: number;
};

/**
 * Runs a stream of node:zlib, which inflates in the thread pool, as a function of pieces.
 *
 * The output is looked at one turn of the event loop later than it arrives: zlib starts on its next piece in between, so
 * that inflating and everything behind it run on two cores.
 */
export class ZlibStream {
  readonly #stream: InflatingStream;
  readonly #output: Output;
  #queue: Buffer[] = [];
  #scheduled = false;
  #written = 0;
  /** Pieces of output that others still look at. */
  #lent = 0;
  #finished = false;
  #failure: unknown;
  /** Wakes whoever waits in write or end. */
  #wake: (() => void) | undefined;

  /** `format` is what it inflates, for messages. */
  constructor(stream: InflatingStream, format: string, output: Output) {
    this.#stream = stream;
    this.#output = output;
    stream.on('data', (chunk: Buffer) => {
      this.#queue.push(chunk);
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => {
        this.#flush();
      });
    });
    stream.on('end', () => {
      this.#finished = true;
      this.#wake?.();
    });
    stream.on('error', (error) => {
      this.#fail(
        new OperationalError(
          'LAYER_COMPRESSION_INVALID',
          `the ${format} data is damaged: ${error.message}`,
          { cause: error },
        ),
      );
    });
  }

  /** Whether the compressed data has come to its end by itself. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Takes a piece; gives what of it stands behind the end of the compressed data. */
  async write(chunk: Buffer): Promise<Buffer> {
    this.#written += chunk.length;
    let used = false;
    this.#stream.write(chunk, () => {
      used = true;
      this.#wake?.();
    });
    await this.#until(() => this.#lent < MAX_LENT && (used || this.#finished));
    // Ended before the piece did: how much of it was compressed data is what zlib counted.
    const unused = Math.max(0, this.#written - this.#stream.bytesWritten);
    return chunk.subarray(chunk.length - unused);
  }

  /** Resolves when everything has come out. */
  async end(): Promise<void> {
    if (!this.#finished) this.#stream.end();
    await this.#until(() => this.#finished && this.#queue.length === 0);
  }

  /** Stops at once; nothing comes out any more. */
  destroy(): void {
    this.#fail(new Error('decompression was stopped'));
    this.#queue = [];
    this.#stream.destroy();
  }

  #flush(): void {
    this.#scheduled = false;
    try {
      while (this.#failure === undefined) {
        const chunk = this.#queue.shift();
        if (chunk === undefined) break;
        this.#output.take(chunk);
        this.#lend(this.#output.inUse?.());
        noteFlow(chunk.length);
      }
    } catch (error) {
      this.#fail(error);
      this.#stream.destroy();
    }
    this.#wake?.();
  }

  #lend(use: Promise<unknown> | undefined): void {
    if (use === undefined) return;
    this.#lent += 1;
    void use.then(() => {
      this.#lent -= 1;
      this.#wake?.();
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure as Error;
      if (condition()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
