import { escapeText } from '../base/escape-text.js';
import { entryOf, type EntryHeaders } from './assemble-entry.js';
import type { TarHandler } from './entry.js';
import { BLOCK_BYTES, isZeroBlock, parseHeader, type RawHeader } from './header.js';
import { DEFAULT_TAR_LIMITS, type TarLimits } from './limits.js';
import { checkGlobalRecords, parsePaxRecords } from './pax.js';
import { archiveInvalid, archiveLimit } from './tar-error.js';

/*
 * A tar reader that is pushed: bytes go in, calls come out, nothing waits and nothing is kept but one header. It reads
 * ustar, PAX, GNU (long names, base-256) and v7.
 *
 * tar-stream would do for the framing, but it decodes PAX values as UTF-8 text, which destroys binary attributes and names,
 * and it costs a promise for each entry.
 *
 * Where readers in the field differ on what an archive says (sizes given twice, names given twice, global names), the
 * archive is refused: what one program checked, another would unpack (CVE-2025-62518).
 */

type State = 'header' | 'content' | 'skip' | 'extended' | 'ended';

/** Reads one archive: {@link TarParser.write} for each piece, then {@link TarParser.end}. Useless after it has thrown. */
export class TarParser {
  readonly #handler: TarHandler;
  readonly #limits: TarLimits;
  #state: State = 'header';
  /** Bytes of the archive before the piece at hand. */
  #offset = 0;
  #headers = 0;
  /** A header that lies across two pieces. */
  readonly #partial = Buffer.alloc(BLOCK_BYTES);
  #partialBytes = 0;
  /** Bytes of content, padding or extended header that are still to come. */
  #remaining = 0;
  #padding = 0;
  #extended: { readonly flag: string; readonly body: Buffer; readonly offset: number } | undefined;
  /** Extended headers that wait for their entry. */
  #pending: EntryHeaders = {};
  #zeroBlockSeen = false;
  #trailingReported = false;

  constructor(handler: TarHandler, limits: TarLimits = DEFAULT_TAR_LIMITS) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /**
   * Takes the next bytes.
   *
   * @throws `OperationalError` LAYER_ARCHIVE_INVALID, LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED; what the handler throws
   */
  write(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#state === 'header') position = this.#readHeader(chunk, position);
      else if (this.#state === 'ended') position = this.#readTrailing(chunk, position);
      else position = this.#readBody(chunk, position);
    }
    this.#offset += chunk.length;
  }

  /**
   * Says that no more bytes come. An archive may lack the two zero blocks at its end, and the padding before them (umoci
   * 0.4 writes such, Go's readers take them), but nothing that an entry consists of.
   *
   * @throws `OperationalError` LAYER_ARCHIVE_INVALID
   */
  end(): void {
    if (this.#state === 'ended') return;
    if (this.#offset === 0) {
      throw archiveInvalid('it is empty; even an archive of nothing has two blocks of zeros', 0);
    }
    const betweenEntries = this.#state === 'header' || this.#state === 'skip';
    if (!betweenEntries || this.#partialBytes > 0) {
      throw archiveInvalid('it ends in the middle of an entry', this.#offset);
    }
    this.#refusePending(this.#offset);
  }

  /** Whether the two blocks of zeros have come: what follows is no part of the archive. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /**
   * For readers that can seek: leaves out the content of the file whose header came last, if none of it has come yet. Gives
   * how many bytes of the archive the reader passes over; the next ones that it writes are those behind them.
   */
  passOver(): number {
    if (this.#state !== 'content') return 0;
    const bytes = this.#remaining + this.#padding;
    this.#handler.contentEnd();
    this.#state = 'header';
    this.#remaining = 0;
    this.#padding = 0;
    this.#offset += bytes;
    return bytes;
  }

  #readHeader(chunk: Buffer, position: number): number {
    if (this.#partialBytes === 0 && chunk.length - position >= BLOCK_BYTES) {
      this.#header(chunk.subarray(position, position + BLOCK_BYTES), this.#offset + position);
      return position + BLOCK_BYTES;
    }
    const count = Math.min(BLOCK_BYTES - this.#partialBytes, chunk.length - position);
    chunk.copy(this.#partial, this.#partialBytes, position, position + count);
    this.#partialBytes += count;
    if (this.#partialBytes === BLOCK_BYTES) {
      this.#partialBytes = 0;
      this.#header(this.#partial, this.#offset + position + count - BLOCK_BYTES);
    }
    return position + count;
  }

  #header(block: Buffer, offset: number): void {
    if (isZeroBlock(block, 0)) {
      this.#refusePending(offset);
      if (this.#zeroBlockSeen) this.#state = 'ended';
      this.#zeroBlockSeen = true;
      return;
    }
    if (this.#zeroBlockSeen) throw archiveInvalid('an entry follows a block of zeros', offset);
    this.#headers += 1;
    if (this.#headers > this.#limits.maxHeaders) {
      throw archiveLimit('headers', this.#limits.maxHeaders);
    }
    const header = parseHeader(block, offset);
    if (/[xgLK]/.test(header.flag)) this.#beginExtended(header, offset);
    else this.#beginEntry(header, offset);
  }

  #beginExtended(header: RawHeader, offset: number): void {
    const { flag, size } = header;
    // A PAX size speaks of the file, never of the long-name header between them (node-tar GHSA-vmf3-w455-68vh).
    if (size === undefined || size <= 0) {
      throw archiveInvalid('an extended header has no size', offset);
    }
    if (size > this.#limits.maxExtendedBytes) {
      throw archiveLimit('bytes in one extended header', this.#limits.maxExtendedBytes);
    }
    const { pax, longPath, longLink } = this.#pending;
    const twice = { x: pax, L: longPath, K: longLink, g: undefined }[flag];
    if (twice !== undefined) {
      throw archiveInvalid('an entry has two extended headers of one kind', offset);
    }
    this.#extended = { flag, body: Buffer.alloc(size), offset };
    this.#expect('extended', size);
  }

  #beginEntry(header: RawHeader, offset: number): void {
    const entry = entryOf(header, this.#pending, offset);
    this.#pending = {};
    this.#handler.entry(entry);
    if (entry.type !== 'file') return;
    if (entry.size === 0) this.#handler.contentEnd();
    else this.#expect('content', entry.size);
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#remaining = bytes;
    this.#padding = (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  #readBody(chunk: Buffer, position: number): number {
    const end = position + Math.min(this.#remaining, chunk.length - position);
    if (this.#state === 'content') {
      this.#handler.content(
        position === 0 && end === chunk.length ? chunk : chunk.subarray(position, end),
      );
    } else if (this.#extended !== undefined) {
      const { body } = this.#extended;
      chunk.copy(body, body.length - this.#remaining, position, end);
    }
    this.#remaining -= end - position;
    if (this.#remaining === 0) this.#bodyEnd();
    return end;
  }

  #bodyEnd(): void {
    if (this.#state === 'content') this.#handler.contentEnd();
    if (this.#extended !== undefined) this.#extendedEnd(this.#extended);
    this.#extended = undefined;
    if (this.#padding > 0) {
      this.#state = 'skip';
      this.#remaining = this.#padding;
      this.#padding = 0;
    } else {
      this.#state = 'header';
    }
  }

  #extendedEnd(extended: { flag: string; body: Buffer; offset: number }): void {
    const { flag, body, offset } = extended;
    const place = { offset: offset + BLOCK_BYTES, limits: this.#limits };
    if (flag === 'g') checkGlobalRecords(parsePaxRecords(body, place), offset);
    else if (flag === 'x') this.#pending.pax = parsePaxRecords(body, place);
    else {
      const end = body.indexOf(0);
      const name = body.toString('latin1', 0, end < 0 ? body.length : end);
      if (name === '') throw archiveInvalid('a long name is empty', offset);
      if (flag === 'L') this.#pending.longPath = name;
      else this.#pending.longLink = name;
    }
  }

  #refusePending(offset: number): void {
    const { pax, longPath, longLink } = this.#pending;
    if (pax === undefined && longPath === undefined && longLink === undefined) return;
    throw archiveInvalid('an extended header is followed by no entry', offset);
  }

  /** After the end: producers pad (with zeros), and a second archive may follow. It is part of the digest and of nothing else. */
  #readTrailing(chunk: Buffer, position: number): number {
    if (!this.#trailingReported && !isZero(chunk, position)) {
      this.#trailingReported = true;
      const shown = escapeText(chunk.toString('latin1', position, position + 32));
      this.#handler.warning(`the archive goes on after its end ('${shown}'), ignoring the rest`);
    }
    return chunk.length;
  }
}

const ZEROS = Buffer.alloc(65_536);

function isZero(bytes: Buffer, start: number): boolean {
  for (let from = start; from < bytes.length; from += ZEROS.length) {
    const to = Math.min(from + ZEROS.length, bytes.length);
    if (bytes.compare(ZEROS, 0, to - from, from, to) !== 0) return false;
  }
  return true;
}
