import { createGunzip } from 'node:zlib';

import { OperationalError } from '../errors/operational-error.js';
import { OUTPUT_BYTES, type Output } from './output-buffers.js';
import { ZlibStream } from './zlib-stream.js';

/** Where it is done: in the thread that asks for it, or in another one meanwhile. */
export type DecompressorPlace = 'here' | 'aside';

/** Takes compressed pieces; plain ones come out at the {@link Output} that it was made with. */
export interface Decompressor {
  /** Whether what comes out is memory that threads share. */
  readonly outputIsShared: boolean;
  /** Takes a piece; resolves when it is used up. The piece must not change before. One at a time. */
  write(chunk: Buffer): Promise<void>;
  /** Says that nothing more comes; resolves when everything has come out. */
  end(): Promise<void>;
  /** Stops at once; nothing comes out any more. */
  destroy(): void;
}

/** For layers that are not compressed. */
export class NoDecompressor implements Decompressor {
  readonly outputIsShared = false;
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#output.take(chunk);
    await this.#output.inUse?.();
  }

  async end(): Promise<void> {
    // nothing is held back
  }

  destroy(): void {
    // nothing to stop
  }
}

/**
 * gzip, one member or several (RFC 1952 section 2.2), inflated in the thread pool by Node's zlib. Zeros after the last member
 * are accepted, since producers pad; anything else there is refused.
 */
export class ZlibGzipDecompressor implements Decompressor {
  readonly outputIsShared = false;
  readonly #stream: ZlibStream;

  constructor(output: Output) {
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

/** What may follow the last member. @throws `OperationalError` LAYER_COMPRESSION_INVALID */
export function refuseJunk(rest: Buffer): void {
  if (!rest.every((byte) => byte === 0)) throw gzipFollowed();
}

/** The error for what follows the last member and is not allowed to. */
export function gzipFollowed(): OperationalError {
  return new OperationalError(
    'LAYER_COMPRESSION_INVALID',
    'the gzip data is followed by something that is neither gzip nor padding',
  );
}
