import { escapeText } from '../base/escape-text.js';
import type { TarEntry, TarEntryType, TarXattr } from './entry.js';
import type { RawHeader } from './header.js';
import { paxNumber, paxText, paxXattrs, refuseSparse, type PaxRecords } from './pax.js';
import { archiveInvalid, entryRefused } from './tar-error.js';
import { parsePaxTime, timeOfSeconds } from './time.js';

/** The extended headers that precede an entry. */
export interface EntryHeaders {
  pax?: PaxRecords;
  longPath?: string;
  longLink?: string;
}

const TYPES: ReadonlyMap<string, TarEntryType> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'character-device'],
  ['4', 'block-device'],
  ['5', 'directory'],
  ['6', 'fifo'],
  ['7', 'file'], // contiguous, which means nothing today
]);

/** Largest size that the octal field can say: producers write 0 or this there when PAX says a larger one. */
const MAX_OCTAL_SIZE = 0o77777777777;
/** The kernel keeps 32 bits, and the last number means "no change" to chown(2). */
const MAX_ID = 2 ** 32 - 2;
const NO_XATTRS: readonly TarXattr[] = [];

/** Puts the headers of one entry together: PAX over GNU over ustar, refusing where they contradict each other. */
export function entryOf(header: RawHeader, extended: EntryHeaders, offset: number): TarEntry {
  const { pax } = extended;
  if (pax !== undefined) refuseSparse(pax, offset);
  const path = nameOf({
    pax: paxText(pax, 'path'),
    gnu: extended.longPath,
    ustar: header.path,
    offset,
  });
  if (path === '') throw archiveInvalid('an entry has no name', offset);
  const type = typeOf(header, path, offset);
  const isLink = type === 'symlink' || type === 'hardlink';
  const isDevice = type === 'character-device' || type === 'block-device';
  const time = parsePaxTime(paxText(pax, 'mtime') ?? '') ?? timeOfSeconds(header.mtime);
  return {
    type,
    path,
    link: isLink
      ? nameOf({
          pax: paxText(pax, 'linkpath'),
          gnu: extended.longLink,
          ustar: header.link,
          offset,
        })
      : '',
    mode: required(header.mode, 'mode', offset) & 0o7777,
    uid: idOf(paxNumber(pax, 'uid', offset) ?? header.uid, 'owner', offset),
    gid: idOf(paxNumber(pax, 'gid', offset) ?? header.gid, 'group', offset),
    size: sizeOf(header, { pax, type }, offset),
    mtimeSeconds: time.seconds,
    mtimeNanoseconds: time.nanoseconds,
    major: isDevice ? required(header.major, 'device number', offset) : 0,
    minor: isDevice ? required(header.minor, 'device number', offset) : 0,
    xattrs: pax === undefined ? NO_XATTRS : paxXattrs(pax),
  };
}

interface Names {
  readonly pax: string | undefined;
  readonly gnu: string | undefined;
  readonly ustar: string;
  readonly offset: number;
}

function nameOf({ pax, gnu, ustar, offset }: Names): string {
  if (pax !== undefined && gnu !== undefined && pax !== gnu) {
    throw archiveInvalid('PAX and GNU headers give an entry two names', offset);
  }
  const name = pax ?? gnu ?? ustar;
  if (name.includes('\0')) throw archiveInvalid('a name holds a NUL', offset);
  return name;
}

function typeOf(header: RawHeader, path: string, offset: number): TarEntryType {
  const type = TYPES.get(header.flag);
  if (type === undefined) {
    const flag = escapeText(header.flag);
    throw entryRefused(
      header.flag === 'S' ? 'a sparse file' : `its type '${flag}' is not known`,
      offset,
    );
  }
  if (type !== 'file' || !path.endsWith('/')) return type;
  // v7 has no type for directories. Under any later type, some readers would make a file of it and some a directory.
  if (header.flag === '\0') return 'directory';
  throw entryRefused('a regular file whose name ends in a slash', offset);
}

/**
 * How many bytes follow. PAX decides, but only where the ustar field could not say it: a size that both can say and
 * that differs makes some readers take content for headers (CVE-2025-62518).
 */
function sizeOf(
  header: RawHeader,
  entry: { readonly pax: PaxRecords | undefined; readonly type: TarEntryType },
  offset: number,
): number {
  const own = required(header.size, 'size', offset);
  const pax = paxNumber(entry.pax, 'size', offset);
  const isTooLargeForUstar =
    pax !== undefined && pax > MAX_OCTAL_SIZE && (own === 0 || own === MAX_OCTAL_SIZE);
  if (pax !== undefined && pax !== own && !isTooLargeForUstar) {
    throw archiveInvalid(`its headers give an entry two sizes, ${own} and ${pax}`, offset);
  }
  const size = pax ?? own;
  if (size > 0 && entry.type !== 'file') {
    throw archiveInvalid(`a ${entry.type} has a size: readers differ on what follows it`, offset);
  }
  return size;
}

function idOf(value: number | undefined, what: string, offset: number): number {
  const id = required(value, what, offset);
  if (id > MAX_ID) throw entryRefused(`its ${what} ${id} is larger than the kernel keeps`, offset);
  return id;
}

function required(value: number | undefined, what: string, offset: number): number {
  if (value === undefined || value < 0) {
    throw archiveInvalid(`a header has no valid ${what}`, offset);
  }
  return value;
}
