import { DatabaseUnreadable } from './package-list.js';

/*
 * SQLite's write-ahead log ("The WAL File Format", sqlite.org/walformat.html): a header of 32 bytes, then frames of 24 bytes
 * and a page each. What counts are the frames up to the last one that ends a transaction, as far as the chained checksums
 * hold; behind them stands what is left of an earlier round.
 */

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit says in which order the words of checksums are read. */
const MAGIC = 0x377f0682;
const VERSION = 3_007_000;

/** What a log has to say of a database. */
export interface WalContent {
  /** The newest content of pages, by number. */
  readonly pages: ReadonlyMap<number, Buffer>;
  /** How many pages the database has; undefined where the log holds no whole transaction. */
  readonly pageCount: number | undefined;
}

/**
 * Reads what transactions a write-ahead log holds; one that was never begun holds none.
 *
 * @throws {@link DatabaseUnreadable} if it belongs to a database of another page size
 */
export function readWal(wal: Buffer, pageSize: number): WalContent {
  const pages = new Map<number, Buffer>();
  const none = { pages, pageCount: undefined };
  if (wal.length < HEADER_BYTES) return none;
  const magic = wal.readUInt32BE(0);
  if ((magic & ~1) >>> 0 !== MAGIC || wal.readUInt32BE(4) !== VERSION) return none;
  if (wal.readUInt32BE(8) !== pageSize)
    throw new DatabaseUnreadable('a write-ahead log with pages of another size');
  const checksum = new Checksum((magic & 1) === 1);
  checksum.add(wal.subarray(0, HEADER_BYTES - 8));
  if (!checksum.is(wal.subarray(HEADER_BYTES - 8, HEADER_BYTES))) return none;
  const salts = wal.subarray(16, 24);
  const uncommitted = new Map<number, Buffer>();
  let pageCount: number | undefined;
  for (let at = HEADER_BYTES; ; at += FRAME_HEADER_BYTES + pageSize) {
    const end = at + FRAME_HEADER_BYTES + pageSize;
    if (end > wal.length || !wal.subarray(at + 8, at + 16).equals(salts)) break;
    const page = wal.subarray(at + FRAME_HEADER_BYTES, end);
    checksum.add(wal.subarray(at, at + 8));
    checksum.add(page);
    if (!checksum.is(wal.subarray(at + 16, at + FRAME_HEADER_BYTES))) break;
    uncommitted.set(wal.readUInt32BE(at), page);
    const committed = wal.readUInt32BE(at + 4);
    if (committed === 0) continue;
    pageCount = committed;
    for (const [number, content] of uncommitted) pages.set(number, content);
    uncommitted.clear();
  }
  return { pages, pageCount };
}

class Checksum {
  readonly #isBigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  /** Takes whole pairs of words. */
  add(bytes: Buffer): void {
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0;
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0;
    }
  }

  is(stored: Buffer): boolean {
    return stored.readUInt32BE(0) === this.#first && stored.readUInt32BE(4) === this.#second;
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}
