import { createIsalInflate } from '../sys/isal.js';
import { hasLibzstd, requireLibzstd } from '../sys/zstd.js';
import {
  NoDecompressor,
  ZlibGzipDecompressor,
  type Decompressor,
  type DecompressorPlace,
} from './decompressor.js';
import type { KnownCompression } from './detect-compression.js';
import { IsalGzipDecompressor } from './isal-gzip-decompressor.js';
import { hasNodeZstd, NodeZstdDecompressor } from './node-zstd-decompressor.js';
import type { Output } from './output-buffers.js';
import { LibzstdDecompressor } from './zstd-decompressor.js';

/**
 * A decompressor for data that is packed in a given way. For gzip it is ISA-L where the host has it, for zstd libzstd, which takes a frame for each file (zstd:chunked)
 * in its stride; where the host lacks it, Node's own, where that has one. Node's own work aside, wherever they are asked to.
 *
 * @throws `OperationalError` LIBRARY_MISSING
 */
export function createDecompressor(
  compression: KnownCompression,
  output: Output,
  place: DecompressorPlace = 'aside',
): Decompressor {
  switch (compression) {
    case 'none':
      return new NoDecompressor(output);
    case 'gzip': {
      const inflate = createIsalInflate();
      return inflate === undefined
        ? new ZlibGzipDecompressor(output)
        : new IsalGzipDecompressor(inflate, output, place);
    }
    case 'zstd':
      return !hasLibzstd() && hasNodeZstd()
        ? new NodeZstdDecompressor(output)
        : new LibzstdDecompressor(output, place);
  }
}

/**
 * Makes sure, before a byte is fetched, that the host has what unpacking takes.
 *
 * @throws `OperationalError` LIBRARY_MISSING
 */
export function assertCanDecompress(compression: KnownCompression): void {
  if (compression === 'zstd' && !hasNodeZstd()) requireLibzstd();
}
