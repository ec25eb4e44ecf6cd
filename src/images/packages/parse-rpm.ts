import { DatabaseUnreadable, MAX_PACKAGES, type InstalledPackage } from './package-list.js';
import { parseRpmHeader } from './rpm-header.js';
import { SqliteDatabase } from './sqlite-database.js';

/**
 * Reads `rpmdb.sqlite` (rpm 4.16 and newer): a table `Packages` of numbers and headers.
 *
 * @param wal What lies beside it as `rpmdb.sqlite-wal`: changes that are not in the file yet
 * @throws {@link DatabaseUnreadable}
 */
export function parseRpmSqlite(content: Buffer, wal: Buffer | undefined): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  for (const [, header] of new SqliteDatabase(content, wal).rows('Packages')) {
    if (!Buffer.isBuffer(header)) throw new DatabaseUnreadable('a package without a header');
    add(packages, header);
  }
  return packages;
}

// ndb, SUSE's form (lib/backend/ndb/rpmpkg.c of rpm 4.18): pages of slots that say where blobs are, in blocks of 16 bytes, and
// the blobs with a head and a tail each. All numbers are little-endian.
const NDB_HEADER = 'RpmP';
const SLOT = 'Slot';
const BLOB_HEAD = 'BlbS';
const BLOB_TAIL = 'BlbE';
const NDB_HEADER_BYTES = 32;
const PAGE_BYTES = 4096;
const SLOT_BYTES = 16;
const BLOCK_BYTES = 16;
const HEAD_BYTES = 16;
const TAIL_BYTES = 12;

/**
 * Reads `Packages.db`, rpm's own database form `ndb`. Blobs may not share bytes, so the work is bounded by the file.
 *
 * @throws {@link DatabaseUnreadable}
 */
export function parseRpmNdb(content: Buffer): InstalledPackage[] {
  const magicAt = (at: number): string => content.toString('latin1', at, at + 4);
  if (content.length < PAGE_BYTES || magicAt(0) !== NDB_HEADER)
    throw new DatabaseUnreadable('not an rpm database');
  if (content.readUInt32LE(4) !== 0) throw new DatabaseUnreadable('a newer form of rpm database');
  const slotsEnd = content.readUInt32LE(12) * PAGE_BYTES;
  if (slotsEnd > content.length) throw new DatabaseUnreadable('damaged: slots that are cut off');
  const packages: InstalledPackage[] = [];
  let blobBytes = 0;
  for (let slot = NDB_HEADER_BYTES; slot < slotsEnd; slot += SLOT_BYTES) {
    if (magicAt(slot) !== SLOT) throw new DatabaseUnreadable('damaged: a slot that is none');
    const index = content.readUInt32LE(slot + 4);
    if (index === 0) continue;
    const from = content.readUInt32LE(slot + 8) * BLOCK_BYTES;
    const end = from + content.readUInt32LE(slot + 12) * BLOCK_BYTES;
    if (from < slotsEnd || end > content.length || end - from < HEAD_BYTES + TAIL_BYTES)
      throw new DatabaseUnreadable('damaged: a package outside of the file');
    blobBytes += end - from;
    if (blobBytes > content.length)
      throw new DatabaseUnreadable('damaged: packages that share bytes');
    const length = content.readUInt32LE(from + 12);
    const isWhole =
      magicAt(from) === BLOB_HEAD &&
      content.readUInt32LE(from + 4) === index &&
      magicAt(end - 4) === BLOB_TAIL &&
      length <= end - from - HEAD_BYTES - TAIL_BYTES;
    if (!isWhole) throw new DatabaseUnreadable('damaged: a package that is not where it should be');
    add(packages, content.subarray(from + HEAD_BYTES, from + HEAD_BYTES + length));
  }
  return packages;
}

function add(packages: InstalledPackage[], header: Buffer): void {
  if (packages.length >= MAX_PACKAGES)
    throw new DatabaseUnreadable(`more than ${MAX_PACKAGES} packages`);
  packages.push(parseRpmHeader(header));
}
