import { OperationalError } from '../errors/operational-error.js';
import { findLayerCompression } from '../oci/media-types.js';
import { showBytes } from './show-bytes.js';

/** How the bytes of a layer are packed, as far as berth can undo it. */
export type KnownCompression = 'none' | 'gzip' | 'zstd';

const FOREIGN_MAGIC: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** A frame of zstd, and what may stand before one: a skippable frame, its first byte's lower half being anything. */
const ZSTD_FRAME = 0xfd2fb528;
const ZSTD_SKIPPABLE = 0x184d2a5;

/**
 * Refuses, before a byte is fetched, the media types that berth cannot unpack.
 *
 * @throws `OperationalError` MANIFEST_UNSUPPORTED
 */
export function checkLayerMediaType(mediaType: string): KnownCompression {
  const compression = findLayerCompression(mediaType);
  if (compression === undefined) {
    throw unsupported(`a layer is of the type ${showBytes(mediaType)}`);
  }
  return compression;
}

/**
 * How the content is really packed, by its first bytes. The media type decides what berth is willing to try; where the
 * bytes say otherwise within that (gzip announced, plain tar sent, or the reverse), they are right, as for containerd and
 * containers/image: digest and diff id are checked all the same, so nothing is gained by lying.
 *
 * @throws `OperationalError` MANIFEST_UNSUPPORTED
 */
export function detectCompression(start: Buffer): KnownCompression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  const magic = start.length < 4 ? 0 : start.readUInt32LE(0);
  if (magic === ZSTD_FRAME || magic >>> 4 === ZSTD_SKIPPABLE) return 'zstd';
  for (const [name, bytes] of FOREIGN_MAGIC) {
    if (start.length >= bytes.length && bytes.every((byte, index) => start[index] === byte)) {
      throw unsupported(`a layer is compressed with ${name}, whatever its media type says`);
    }
  }
  return 'none';
}

function unsupported(problem: string): OperationalError {
  return new OperationalError('MANIFEST_UNSUPPORTED', `${problem}, which berth cannot unpack`, {
    hint: 'push the image with gzip layers: skopeo copy --dest-compress-format gzip --dest-force-compress-format …',
  });
}
