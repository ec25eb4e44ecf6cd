import { DatabaseUnreadable, MAX_FIELD_CHARACTERS, type InstalledPackage } from './package-list.js';

/*
 * An rpm header as databases keep it ("Package format", rpm 4.18): two lengths, an index of 16 bytes an entry, the data that
 * the entries point into.
 */

const ENTRY_BYTES = 16;
/** As rpm has it (HEADER_TAGS_MAX). */
const MAX_ENTRIES = 0xffff;

const NAME = 1000;
const VERSION = 1001;
const RELEASE = 1002;
const EPOCH = 1003;
const ARCHITECTURE = 1022;
const STRINGS: ReadonlySet<number> = new Set([NAME, VERSION, RELEASE, ARCHITECTURE]);

const TYPE_INT32 = 4;
const TYPE_STRING = 6;

/**
 * Parses a header of an rpm database. The version is written as rpm writes it: `EPOCH:VERSION-RELEASE`, without an epoch of 0.
 *
 * @throws {@link DatabaseUnreadable}
 */
export function parseRpmHeader(header: Buffer): InstalledPackage {
  if (header.length < 8) throw new DatabaseUnreadable('a package without a header');
  const entries = header.readUInt32BE(0);
  if (entries > MAX_ENTRIES) throw new DatabaseUnreadable(`a header of ${entries} entries`);
  const data = 8 + entries * ENTRY_BYTES;
  if (data + header.readUInt32BE(4) !== header.length)
    throw new DatabaseUnreadable('a header of another length than it says');
  const texts = new Map<number, string>();
  let epoch = 0;
  for (let at = 8; at < data; at += ENTRY_BYTES) {
    const tag = header.readUInt32BE(at);
    const isText = STRINGS.has(tag);
    if (!isText && tag !== EPOCH) continue;
    const wanted = isText ? TYPE_STRING : TYPE_INT32;
    const from = data + header.readUInt32BE(at + 8);
    if (header.readUInt32BE(at + 4) !== wanted || from + 4 > header.length + (isText ? 4 : 0))
      throw new DatabaseUnreadable(`a header whose tag ${tag} leads nowhere`);
    if (isText) texts.set(tag, readText(header, from));
    else epoch = header.readUInt32BE(from);
  }
  const name = texts.get(NAME);
  if (name === undefined) throw new DatabaseUnreadable('a package without a name');
  return {
    name,
    version: `${epoch === 0 ? '' : `${epoch}:`}${texts.get(VERSION) ?? ''}-${texts.get(RELEASE) ?? ''}`,
    // Keys that somebody imported are kept as packages, and are of none.
    architecture: texts.get(ARCHITECTURE) ?? '',
  };
}

function readText(header: Buffer, from: number): string {
  const end = header.indexOf(0, from);
  if (end < 0) throw new DatabaseUnreadable('a text that does not end');
  if (end - from > MAX_FIELD_CHARACTERS)
    throw new DatabaseUnreadable(`a field of ${end - from} characters`);
  return header.toString('utf8', from, end);
}
