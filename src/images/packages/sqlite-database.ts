import { DatabaseUnreadable } from './package-list.js';
import { decodeRecord, readVarint, type SqliteValue } from './sqlite-record.js';
import { readWal, type WalContent } from './sqlite-wal.js';

/*
 * As much of SQLite's file format ("Database File Format", sqlite.org/fileformat2.html) as it takes to read the rows of one
 * table. The file is foreign: every page is read at most once, and the cells of a page have no more bytes than the page,
 * so the work is bounded by the size of the file, whatever its pages say of each other.
 */

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const TABLE_INTERIOR = 5;
const TABLE_LEAF = 13;
/** Of a page that is not used for content by anything known (section 1.3.4): less would be no page. */
const MIN_USABLE_BYTES = 480;
const UTF8 = 1;

/** A SQLite database in memory. */
export class SqliteDatabase {
  readonly #content: Buffer;
  readonly #wal: WalContent;
  readonly #pageSize: number;
  readonly #usable: number;
  readonly #pageCount: number;
  readonly #read: Uint8Array;

  /**
   * @param wal The write-ahead log that lies beside it
   * @throws {@link DatabaseUnreadable} if it is none, or of a form that is not read
   */
  constructor(content: Buffer, wal: Buffer | undefined) {
    if (content.length < HEADER_BYTES || content.toString('latin1', 0, 16) !== MAGIC)
      throw new DatabaseUnreadable('not a SQLite database');
    const said = content.readUInt16BE(16);
    const pageSize = said === 1 ? 65_536 : said;
    if (pageSize < 512 || (pageSize & (pageSize - 1)) !== 0)
      throw new DatabaseUnreadable(`pages of ${pageSize} bytes`);
    this.#usable = pageSize - content.readUInt8(20);
    if (this.#usable < MIN_USABLE_BYTES) throw new DatabaseUnreadable('pages without content');
    this.#content = content;
    this.#pageSize = pageSize;
    this.#wal = readWal(wal ?? Buffer.alloc(0), pageSize);
    this.#pageCount = this.#wal.pageCount ?? Math.floor(content.length / pageSize);
    const most = Math.floor(content.length / pageSize) + this.#wal.pages.size;
    if (this.#pageCount > most) throw new DatabaseUnreadable('fewer pages than it says');
    const header = this.#page(1);
    if (header.readUInt8(19) > 2) throw new DatabaseUnreadable('a newer form of SQLite database');
    if (header.readUInt32BE(56) !== UTF8) throw new DatabaseUnreadable('text that is not UTF-8');
    this.#read = new Uint8Array(this.#pageCount + 1);
  }

  /**
   * The rows of a table, in the order of its pages.
   *
   * @throws {@link DatabaseUnreadable} if there is no such table, or the file is damaged
   */
  *rows(table: string): Generator<readonly SqliteValue[]> {
    this.#read.fill(0);
    yield* this.#walk(this.#findRoot(table));
  }

  #findRoot(table: string): number {
    for (const [type, name, , root] of this.#walk(1)) {
      if (asText(type) !== 'table' || asText(name) !== table) continue;
      if (typeof root !== 'number') break;
      return root;
    }
    throw new DatabaseUnreadable(`no table ${table}`);
  }

  *#walk(root: number): Generator<readonly SqliteValue[]> {
    const waiting = [root];
    for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
      const page = this.#once(number);
      const start = number === 1 ? HEADER_BYTES : 0;
      const type = page.readUInt8(start);
      if (type === TABLE_INTERIOR) {
        waiting.push(page.readUInt32BE(start + 8));
        for (const at of this.#cells(page, start, 12)) waiting.push(page.readUInt32BE(at));
      } else if (type === TABLE_LEAF) {
        let bytes = 0;
        for (const at of this.#cells(page, start, 8)) {
          const { payload, localBytes } = this.#payload(page, at);
          bytes += localBytes;
          if (bytes > this.#pageSize) throw damaged('cells that share bytes');
          yield decodeRecord(payload);
        }
      } else throw damaged('a page of another kind');
    }
  }

  /** Where the cells of a page are; each two bytes at least, so no page has more pointers than bytes. */
  *#cells(page: Buffer, start: number, headerBytes: number): Generator<number> {
    const count = page.readUInt16BE(start + 3);
    const first = start + headerBytes;
    if (first + count * 2 > this.#usable) throw damaged('more cells than a page has');
    for (let index = 0; index < count; index++) {
      const at = page.readUInt16BE(first + index * 2);
      if (at < first || at + 4 > this.#usable) throw damaged('a cell outside of its page');
      yield at;
    }
  }

  /** The payload of a leaf's cell (section 1.6), gathered from its overflow pages. */
  #payload(page: Buffer, at: number): { readonly payload: Buffer; readonly localBytes: number } {
    const size = readVarint(page, at);
    const rowid = readVarint(page, size.end);
    const total = size.value;
    if (total > this.#pageCount * this.#pageSize) throw damaged('a row larger than the file');
    const local = this.#localBytes(total);
    const end = rowid.end + local;
    if (end + (local < total ? 4 : 0) > this.#usable) throw damaged('a row outside of its page');
    const parts = [page.subarray(rowid.end, end)];
    let left = total - local;
    for (let next = left > 0 ? page.readUInt32BE(end) : 0; left > 0;) {
      const overflow = this.#once(next);
      const part = overflow.subarray(4, 4 + Math.min(left, this.#usable - 4));
      parts.push(part);
      left -= part.length;
      next = overflow.readUInt32BE(0);
    }
    return {
      payload: parts.length === 1 ? firstOf(parts) : Buffer.concat(parts),
      localBytes: end - at,
    };
  }

  #localBytes(total: number): number {
    const most = this.#usable - 35;
    if (total <= most) return total;
    const least = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const local = least + ((total - least) % (this.#usable - 4));
    return local <= most ? local : least;
  }

  /** A page that nothing else of the file leads to: one that is led to again is a circle, or work without end. */
  #once(number: number): Buffer {
    if (this.#read[number] === 1) throw damaged('a page that is used twice');
    const page = this.#page(number);
    this.#read[number] = 1;
    return page;
  }

  #page(number: number): Buffer {
    if (number < 1 || number > this.#pageCount) throw damaged('a page that is not there');
    const changed = this.#wal.pages.get(number);
    if (changed !== undefined) return changed;
    const page = this.#content.subarray((number - 1) * this.#pageSize, number * this.#pageSize);
    if (page.length < this.#pageSize) throw damaged('a page that is not there');
    return page;
  }
}

function firstOf(parts: readonly Buffer[]): Buffer {
  return parts[0] ?? Buffer.alloc(0);
}

function asText(value: SqliteValue | undefined): string | undefined {
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
}

function damaged(how: string): DatabaseUnreadable {
  return new DatabaseUnreadable(`damaged: ${how}`);
}
