import { endianness } from 'node:os';

/** What a transaction did. */
export interface TransactionStats {
  readonly metadataObjectsTotal: number;
  /** Those that were not there before. */
  readonly metadataObjectsWritten: number;
  readonly contentObjectsTotal: number;
  readonly contentObjectsWritten: number;
  readonly contentBytesWritten: number;
}

/** `struct _OstreeRepoTransactionStats`: 5 guint, 4 guint64 and padding, with room to spare. */
export const STATS_BYTES = 128;

/** Reads `struct _OstreeRepoTransactionStats`. */
export function readTransactionStats(bytes: Buffer): TransactionStats {
  const little = endianness() === 'LE';
  const read = (offset: number): number =>
    little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
  return {
    metadataObjectsTotal: read(0),
    metadataObjectsWritten: read(4),
    contentObjectsTotal: read(8),
    contentObjectsWritten: read(12),
    contentBytesWritten: Number(little ? bytes.readBigUInt64LE(16) : bytes.readBigUInt64BE(16)),
  };
}
