import { DEFAULT_TAR_LIMITS, type TarLimits } from '../tar/limits.js';

/** What one layer may ask of berth. */
export interface LayerLimits {
  readonly tar: TarLimits;
  /** Bytes after decompression, padding included. */
  readonly maxBytes: number;
  /** How many times larger than the blob the content may be, once it is larger than {@link LayerLimits.ratioFreeBytes}. */
  readonly maxRatio: number;
  /** Up to here the ratio is not looked at: small layers of zeros are common and harmless. */
  readonly ratioFreeBytes: number;
  readonly maxEntries: number;
  /** Bytes of a path as a whole. */
  readonly maxPathBytes: number;
  /** Components of a path. */
  readonly maxDepth: number;
  /** Extended attributes of one entry. */
  readonly maxXattrs: number;
  /** Bytes of names, targets and attributes of all entries: what has to be kept in memory. */
  readonly maxMetadataBytes: number;
}

/** The limits that hold where the configuration says nothing else. */
export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  tar: DEFAULT_TAR_LIMITS,
  // Larger than any layer a registry is known to take (10 GiB compressed at the large ones).
  maxBytes: 64 * 1024 ** 3,
  // deflate cannot do better than 1032; programs and texts stay under 10, database files full of zeros reach some 100.
  maxRatio: 200,
  ratioFreeBytes: 256 * 1024 ** 2,
  // The largest images in the field have some 300,000 files in all.
  maxEntries: 1_000_000,
  // PATH_MAX: programs in the container could not name it.
  maxPathBytes: 4096,
  maxDepth: 255,
  // ext4 keeps one block of them (4 KiB), XFS 64 KiB: a hundred short ones are more than anything real has.
  maxXattrs: 256,
  // A million entries of 100 bytes with room to spare.
  maxMetadataBytes: 256 * 1024 ** 2,
};

/** NAME_MAX: no file system takes a longer component. */
export const MAX_COMPONENT_BYTES = 255;
/** A symbolic link's target is a path: PATH_MAX without the NUL. */
export const MAX_TARGET_BYTES = 4095;
/** XATTR_NAME_MAX of the kernel. */
export const MAX_XATTR_NAME_BYTES = 255;
/** XATTR_SIZE_MAX of the kernel. */
export const MAX_XATTR_VALUE_BYTES = 65_536;
