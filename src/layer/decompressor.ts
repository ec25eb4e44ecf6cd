import { createGunzip } from 'node:zlib';

import { OperationalError } from '../errors/operational-error.js';
import { OUTPUT_BYTES, ZlibStream } from './zlib-stream.js';

/** Takes compressed pieces; plain ones come out at the callback that it was made with. */
export interface Decompressor {
  /** Whether what comes out is in memory of its own, which is not used again. */
  readonly staysAsIs: boolean;
  /** Takes a piece; resolves when it is used up. The piece must not change before. One at a time. */
  write(chunk: Buffer): Promise<void>;
  /** Says that nothing more comes; resolves when everything has come out. */
  end(): Promise<void>;
  /** Stops at once; nothing comes out any more. */
  destroy(): void;
}

/** For layers that are not compressed. */
export class NoDecompressor implements Decompressor {
  readonly staysAsIs = false;
  readonly #output: (chunk: Buffer) => void;

  constructor(output: (chunk: Buffer) => void) {
    this.#output = output;
  }

  // async, so that a throwing output rejects as it does with the others
  // eslint-disable-next-line @typescript-eslint/require-await
  async write(chunk: Buffer): Promise<void> {
    this.#output(chunk);
  }

  async end(): Promise<void> {
    // nothing is held back
  }

  destroy(): void {
    // nothing to stop
  }
}

/**
 * gzip, one member or several (RFC 1952 section 2.2), inflated in the thread pool. Zeros after the last member are
 * accepted, since producers pad; anything else there is refused.
 */
export class GzipDecompressor implements Decompressor {
  readonly staysAsIs = true;
  readonly #stream: ZlibStream;

  constructor(output: (chunk: Buffer) => void) {
    this.#stream = new ZlibStream(createGunzip({ chunkSize: OUTPUT_BYTES }), 'gzip', output);
  }

  async write(chunk: Buffer): Promise<void> {
    refuseJunk(this.#stream.finished ? chunk : await this.#stream.write(chunk));
  }

  end(): Promise<void> {
    return this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

function refuseJunk(rest: Buffer): void {
  if (rest.every((byte) => byte === 0)) return;
  throw new OperationalError(
    'LAYER_COMPRESSION_INVALID',
    'the gzip data is followed by something that is neither gzip nor padding',
  );
}
