import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { digestAlgorithm, type Digest } from '../oci/digest.js';
import { verifyContent } from '../oci/verify-content.js';
import { hasFewProcessors } from '../sys/few-processors.js';
import { createThreadedHash } from '../sys/threaded-hash.js';
import { TarParser } from '../tar/parser.js';
import { assertCanDecompress, createDecompressor } from './create-decompressor.js';
import type { Decompressor } from './decompressor.js';
import { checkLayerMediaType, detectCompression } from './detect-compression.js';
import { DiffHash } from './diff-hash.js';
import { EntryPolicy } from './entry-policy.js';
import type { ArchiveHash, LayerSink } from './layer-sink.js';
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from './limits.js';
import type { Output } from './output-buffers.js';

/*
 * The way of a layer:
 *
 *   source ─▶ size and digest ─▶ unpack ─▶ limits, diff id ─▶ tar ─▶ policy ─▶ sink
 *
 * Everything is checked while it flows and nothing is believed before the end: a sink may write, but makes nothing visible
 * until applyLayer has come back. No promise is made for an entry, only for a piece of input.
 */

/** What {@link applyLayer} needs. */
export interface LayerInput {
  /** The blob; consumed or ended early. A piece is done with when the next one is asked for. */
  readonly source: AsyncIterable<Uint8Array>;
  readonly descriptor: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;
  /** Digest of the archive that the blob unpacks to, from the image's configuration. */
  readonly diffId: Digest;
  readonly sink: LayerSink;
  readonly signal: AbortSignal;
  readonly limits?: LayerLimits | undefined;
  /** Called with the bytes of the blob taken in so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Called for what is odd and changes nothing; each kind once. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** What a layer came to. */
export interface LayerSummary {
  readonly entries: number;
  /** Bytes in files. */
  readonly contentBytes: number;
  /** Bytes of the archive. */
  readonly archiveBytes: number;
}

/** Pieces of a network may be small; other threads want them larger, or waking them costs more than they do. */
const INPUT_BYTES = 256 * 1024;

/** A piece that is handed on as it is. */
const ENOUGH_BYTES = 64 * 1024;

/**
 * Unpacks one layer into a sink, verified against digest, size and diff id, within limits.
 *
 * @throws `OperationalError` CONTENT_MISMATCH, CONTENT_TRUNCATED, LAYER_*, LIBRARY_MISSING, MANIFEST_UNSUPPORTED,
 * CANCELLED; what source and
 * sink throw. A blob that is not what was promised is reported as that, also where unpacking it failed first.
 */
export async function applyLayer(input: LayerInput): Promise<LayerSummary> {
  assertCanDecompress(checkLayerMediaType(input.descriptor.mediaType));
  const blob = verifyContent(
    input.source,
    input.descriptor,
    staysHere(input.sink) ? undefined : createThreadedHash,
  );
  const unpacker = new Unpacker(input);
  try {
    // Without the generator's return(): leaving the loop early must not end it, see betterReason.
    await unpacker.run({ [Symbol.asyncIterator]: () => ({ next: () => blob.next() }) });
    return unpacker.summary();
  } catch (error) {
    throw await betterReason(error, blob);
  } finally {
    unpacker.destroy();
    await blob.return();
  }
}

/** Blames the blob, if it is not what was promised, rather than what its content looked like. Costs at most its promised size. */
async function betterReason(error: unknown, blob: AsyncIterator<Uint8Array>): Promise<unknown> {
  const isAboutContent =
    error instanceof OperationalError &&
    /^LAYER_(ARCHIVE|COMPRESSION|PATH|ENTRY)_|^CONTENT_MISMATCH$|^MANIFEST_UNSUPPORTED$/.test(
      error.code,
    );
  if (!isAboutContent) return error;
  try {
    while ((await blob.next()).done !== true);
    return error;
  } catch (reason) {
    return reason;
  }
}

/** Whether this thread and the sink's have enough to do with each other: with few processors nothing is handed to a third one. */
function staysHere({ hashAside }: LayerSink): boolean {
  return hashAside !== undefined && hasFewProcessors();
}

class Unpacker {
  readonly #input: LayerInput;
  readonly #limits: LayerLimits;
  readonly #policy: EntryPolicy;
  readonly #parser: TarParser;
  /** There when something has come, and the archive is not the blob itself. */
  #diffHash: ArchiveHash | undefined;
  #decompressor: Decompressor | undefined;
  /** The archive came as it is: its diff id is its digest, which is verified already. */
  #isBlobItself = false;
  #archiveBytes = 0;
  #blobBytes = 0;

  constructor(input: LayerInput) {
    this.#input = input;
    this.#limits = input.limits ?? DEFAULT_LAYER_LIMITS;
    this.#policy = new EntryPolicy({
      sink: input.sink,
      limits: this.#limits,
      onWarning: input.onWarning ?? (() => undefined),
    });
    this.#parser = new TarParser(this.#policy, this.#limits.tar);
  }

  async run(blob: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of gathered(this.#watched(blob))) {
      this.#blobBytes += piece.length;
      await this.#decompressorFor(piece).write(piece);
      await this.#input.sink.ready();
      this.#input.onProgress?.(this.#blobBytes);
    }
    await this.#decompressor?.end();
    await this.#input.sink.drain();
    await this.#diffHash?.settle();
    this.#throwIfCancelled();
    this.#parser.end();
    await this.#checkDiffId();
  }

  async *#watched(blob: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of blob) {
      this.#throwIfCancelled();
      yield piece;
    }
  }

  summary(): LayerSummary {
    return { ...this.#policy.counts, archiveBytes: this.#archiveBytes };
  }

  destroy(): void {
    this.#decompressor?.destroy();
    this.#diffHash?.[Symbol.dispose]();
  }

  #decompressorFor(first: Buffer): Decompressor {
    if (this.#decompressor !== undefined) return this.#decompressor;
    const output: Output = {
      take: (chunk) => {
        this.#take(chunk);
      },
      inUse: () => this.#inUse(),
    };
    const compression = detectCompression(first);
    const { descriptor, diffId, sink } = this.#input;
    this.#isBlobItself = compression === 'none' && descriptor.digest === diffId;
    const decompressor = createDecompressor(
      compression,
      output,
      staysHere(sink) ? 'here' : 'aside',
    );
    this.#decompressor = decompressor;
    if (!this.#isBlobItself) {
      const algorithm = digestAlgorithm(diffId);
      const goesAlong = staysHere(sink) && decompressor.outputIsShared;
      this.#diffHash =
        (goesAlong ? sink.hashAside?.(algorithm) : undefined) ??
        new DiffHash(algorithm, descriptor.size);
    }
    return decompressor;
  }

  #take(chunk: Buffer): void {
    this.#archiveBytes += chunk.length;
    this.#checkSize();
    this.#diffHash?.add(chunk);
    this.#parser.write(chunk);
  }

  #inUse(): Promise<unknown> | undefined {
    const hashing = this.#diffHash?.settle();
    const borrowed = this.#input.sink.borrowed();
    if (hashing === undefined && borrowed === undefined) return undefined;
    return Promise.allSettled([hashing, borrowed]);
  }

  /** Checked before the bytes are used: a bomb costs what its limit says, however small it came. */
  #checkSize(): void {
    const { maxBytes, maxRatio, ratioFreeBytes } = this.#limits;
    const { size } = this.#input.descriptor;
    if (this.#archiveBytes > maxBytes) {
      throw new OperationalError(
        'LAYER_LIMIT_EXCEEDED',
        `the layer unpacks to more than ${maxBytes} bytes, refusing it`,
      );
    }
    if (this.#archiveBytes > ratioFreeBytes && this.#archiveBytes > size * maxRatio) {
      throw new OperationalError(
        'LAYER_LIMIT_EXCEEDED',
        `the layer unpacks to more than ${maxRatio} times its size, refusing it as a decompression bomb`,
      );
    }
  }

  async #checkDiffId(): Promise<void> {
    const { diffId } = this.#input;
    if (this.#isBlobItself) return;
    const digest = await this.#diffHash?.digest();
    const actual = `${digestAlgorithm(diffId)}:${digest ?? ''}`;
    if (actual === diffId) return;
    throw new OperationalError(
      'CONTENT_MISMATCH',
      `the layer unpacks to something else than the image's configuration says: expected ${diffId}, got ${actual}`,
    );
  }

  #throwIfCancelled(): void {
    if (this.#input.signal.aborted) {
      throw new OperationalError('CANCELLED', 'unpacking the layer was interrupted');
    }
  }
}

/**
 * Puts small pieces together; the first one is at least as long as a magic number, if there is that much. What comes out is good
 * until the next one is asked for.
 */
async function* gathered(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let batch: Buffer | undefined;
  let bytes = 0;
  for await (const piece of pieces) {
    if (bytes === 0 && piece.length >= ENOUGH_BYTES) {
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
      continue;
    }
    batch ??= Buffer.allocUnsafeSlow(INPUT_BYTES);
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + INPUT_BYTES - bytes);
      batch.set(part, bytes);
      bytes += part.length;
      at += part.length;
      if (bytes < INPUT_BYTES) continue;
      yield batch;
      bytes = 0;
    }
  }
  if (batch !== undefined && bytes > 0) yield batch.subarray(0, bytes);
}
