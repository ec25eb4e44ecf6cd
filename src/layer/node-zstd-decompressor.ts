import zlib from 'node:zlib';

import type { Decompressor } from './decompressor.js';
import { OUTPUT_BYTES, type Output } from './output-buffers.js';
import { ZlibStream, type InflatingStream } from './zlib-stream.js';
import { MAX_WINDOW_LOG, ZstdFrames } from './zstd-frames.js';

/** What Node has from 22.15 and 23.8 on. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: {
    readonly chunkSize: number;
    readonly params: Readonly<Record<number, number>>;
  }) => InflatingStream;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
}

/* eslint-disable n/no-unsupported-features/node-builtins -- used only where it is there */
const { createZstdDecompress, constants } = zlib as unknown as ZlibWithZstd;

/** Whether this Node unpacks zstd itself. */
export function hasNodeZstd(): boolean {
  return createZstdDecompress !== undefined;
}

/** zstd through Node's own library. Its streams stop at the end of a frame, so each frame gets one of its own. */
export class NodeZstdDecompressor implements Decompressor {
  readonly outputIsShared = false;
  readonly #frames = new ZstdFrames();
  readonly #output: Output;
  #stream: ZlibStream | undefined;
  #destroyed = false;

  constructor(output: Output) {
    this.#output = output;
  }

  async write(chunk: Buffer): Promise<void> {
    for (const { bytes, last } of this.#frames.parts(chunk)) {
      if (this.#destroyed) throw new Error('decompression was stopped');
      this.#stream ??= this.#open();
      await this.#stream.write(bytes);
      if (!last) continue;
      await this.#stream.end();
      this.#stream = undefined;
    }
  }

  // async, so that it rejects as the others do
  // eslint-disable-next-line @typescript-eslint/require-await
  async end(): Promise<void> {
    this.#frames.end();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#stream?.destroy();
  }

  #open(): ZlibStream {
    if (createZstdDecompress === undefined) {
      throw new Error('internal error: this Node does not unpack zstd');
    }
    const windowLogMax = constants.ZSTD_d_windowLogMax;
    const params = windowLogMax === undefined ? {} : { [windowLogMax]: MAX_WINDOW_LOG };
    const stream = createZstdDecompress({ chunkSize: OUTPUT_BYTES, params });
    return new ZlibStream(stream, 'zstd', this.#output);
  }
}
