/** Bytes of a sector; all numbers of the log count in these. */
export const SECTOR_BYTES = 512;

/** One request that reached a logged disk, in the order in which they did. */
export interface LoggedRequest {
  /** Everything that was answered before this one is on the disk for good. */
  readonly isFlush: boolean;
  readonly sector: number;
  readonly sectors: number;
  /** What was written; undefined where the content was given up (a discard), and for a flush. */
  readonly data: Buffer | undefined;
  /** Where in the log it ends. */
  readonly end: number;
}

const MAGIC = 0x006a_7366_7773_6872n;
const FLAG_FLUSH = 1;
const FLAG_DISCARD = 4;

/**
 * Parses the log of qemu's `blklogwrites`, which has the form of the kernel's dm-log-writes
 * (Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then for each request a sector with its
 * number, length and flags, and its data.
 */
export function parseBlockLog(log: Buffer): readonly LoggedRequest[] {
  if (log.length < SECTOR_BYTES || log.readBigUInt64LE(0) !== MAGIC)
    throw new Error('this is no log of a disk');
  const count = Number(log.readBigUInt64LE(16));
  const requests: LoggedRequest[] = [];
  let at = SECTOR_BYTES;
  for (let index = 0; index < count; index++) {
    const sectors = Number(log.readBigUInt64LE(at + 8));
    const flags = Number(log.readBigUInt64LE(at + 16));
    const sector = Number(log.readBigUInt64LE(at));
    at += SECTOR_BYTES;
    const hasData = (flags & FLAG_DISCARD) === 0 && sectors > 0;
    const length = hasData ? sectors * SECTOR_BYTES : 0;
    if (at + length > log.length) throw new Error('the log of the disk ends too early');
    requests.push({
      isFlush: (flags & FLAG_FLUSH) !== 0,
      sector,
      sectors,
      data: hasData ? log.subarray(at, at + length) : undefined,
      end: at + length,
    });
    at += length;
  }
  return requests;
}
