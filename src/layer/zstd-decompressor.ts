import { OperationalError } from '../errors/operational-error.js';
import { ZstdContext, ZstdError, type ZstdStep } from '../sys/zstd.js';
import type { Decompressor, DecompressorPlace } from './decompressor.js';
import { OutputBuffers, type Output } from './output-buffers.js';
import { MAX_WINDOW_LOG, ZstdFrames, type FramePart } from './zstd-frames.js';

/** Input from which on another thread is worth waking: zstd:chunked has a frame for each small file. */
const ASIDE_BYTES = 32 * 1024;

/**
 * zstd through libzstd, one frame or many. `aside`, while one buffer of output is being looked at, the other one is filled in
 * another thread.
 */
export class LibzstdDecompressor implements Decompressor {
  readonly outputIsShared = true;
  readonly #context = new ZstdContext(MAX_WINDOW_LOG);
  readonly #frames = new ZstdFrames();
  readonly #buffers: OutputBuffers;
  readonly #place: DecompressorPlace;
  #running: Promise<unknown> | undefined;
  #destroyed = false;

  constructor(output: Output, place: DecompressorPlace) {
    this.#place = place;
    this.#buffers = new OutputBuffers(output);
  }

  async write(chunk: Buffer): Promise<void> {
    for (const part of this.#frames.parts(chunk)) await this.#decode(part);
  }

  // async, so that it rejects as the others do
  // eslint-disable-next-line @typescript-eslint/require-await
  async end(): Promise<void> {
    this.#buffers.flush();
    this.#frames.end();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    const release = (): void => {
      this.#context[Symbol.dispose]();
    };
    // A call that is under way in another thread still uses it.
    if (this.#running === undefined) release();
    else this.#running.then(release, release);
  }

  async #decode({ bytes, last }: FramePart): Promise<void> {
    let position = 0;
    for (;;) {
      const { read, written, frameEnded } = await this.#step(bytes.subarray(position));
      position += read;
      const isFull = this.#buffers.fill(written);
      if (position === bytes.length && (last ? frameEnded : !isFull)) return;
      if (read === 0 && written === 0 && !isFull) throw damaged('its frames are not what they say');
      if (frameEnded && !(last && position === bytes.length))
        throw damaged('its frames are not what they say');
    }
  }

  async #step(input: Buffer): Promise<ZstdStep> {
    try {
      const room = await this.#buffers.room();
      if (this.#destroyed) throw new Error('decompression was stopped');
      if (this.#place === 'here' || input.length < ASIDE_BYTES) {
        const step = this.#context.step(input, room);
        this.#buffers.give();
        return step;
      }
      const running = this.#context.stepAside(input, room);
      this.#running = running;
      try {
        this.#buffers.give();
      } finally {
        await running.catch(() => undefined);
        this.#running = undefined;
      }
      return await running;
    } catch (error) {
      if (error instanceof ZstdError) throw damaged(error.message, error);
      throw error;
    }
  }
}

function damaged(problem: string, cause?: unknown): OperationalError {
  return new OperationalError('LAYER_COMPRESSION_INVALID', `the zstd data is damaged: ${problem}`, {
    cause,
  });
}
