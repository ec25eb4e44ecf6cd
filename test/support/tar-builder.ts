import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { zstd } from './zstd-frames.js';

/** Type flags by name; a single character stands for itself. */
const TYPE_FLAGS: Readonly<Record<string, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** One entry of an archive to build. Only `path` is needed; a path ending in `/` is a directory unless `type` says else. */
export interface TarItem {
  /** Text (UTF-8) or bytes. Longer than 100 bytes: goes into a PAX record, or a GNU `L` header with `gnuLongNames`. */
  readonly path: string | Buffer;
  /** `file`, `directory`, `symlink`, `hardlink`, `character-device`, `block-device`, `fifo`, or a type flag. */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  /** Target of a link. */
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Whole seconds; a string goes into a PAX record as it stands. */
  readonly mtime?: number | string;
  readonly major?: number;
  readonly minor?: number;
  /** Become `SCHILY.xattr.NAME` records. */
  readonly xattrs?: Readonly<Record<string, string | Buffer>>;
  /** Further PAX records for this entry. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** Bytes to use as the body of the PAX header, instead of all records. */
  readonly rawPax?: Buffer;
  readonly gnuLongNames?: boolean;
  /** Changes the raw 512-byte header before its checksum is computed. */
  readonly header?: (block: Buffer) => void;
  /** Changes the header after the checksum was computed. */
  readonly sealed?: (block: Buffer) => void;
  /** Size written into the header, where it should differ from the content's. */
  readonly claimedSize?: number;
}

/** Options of {@link buildTar}. */
export interface TarOptions {
  /** Number of zero blocks at the end; 2 unless given. */
  readonly endBlocks?: number;
}

/** Builds a tar archive (POSIX ustar with PAX where needed) from a list of entries, in their order. */
export function buildTar(items: readonly TarItem[], options: TarOptions = {}): Buffer {
  const blocks: Buffer[] = items.flatMap(entryBlocks);
  blocks.push(Buffer.alloc(512 * (options.endBlocks ?? 2)));
  return Buffer.concat(blocks);
}

/** A layer in all the forms that a test needs. */
export interface BuiltLayer {
  readonly tar: Buffer;
  /** What the registry serves. */
  readonly blob: Buffer;
  readonly mediaType: string;
  /** Of the blob. */
  readonly digest: string;
  readonly size: number;
  /** Of the tar. */
  readonly diffId: string;
}

/** A layer made of entries, or of a finished tar. */
export function buildLayer(
  content: readonly TarItem[] | Buffer,
  options: { readonly compression?: 'gzip' | 'zstd' | 'none' } = {},
): BuiltLayer {
  const tar = Buffer.isBuffer(content) ? content : buildTar(content);
  const { compression = 'gzip' } = options;
  const blob =
    compression === 'gzip' ? gzipSync(tar, { level: 1 }) : compression === 'zstd' ? zstd(tar) : tar;
  return {
    tar,
    blob,
    mediaType: `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`,
    digest: sha256(blob),
    size: blob.length,
    diffId: sha256(tar),
  };
}

/** `sha256:HEX` of bytes. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Body of a PAX header with the given records. */
export function paxRecords(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
      let length = body.length;
      while (String(length).length + body.length !== length) {
        length = String(length).length + body.length;
      }
      return Buffer.concat([Buffer.from(String(length)), body]);
    }),
  );
}

function entryBlocks(item: TarItem): Buffer[] {
  const path = Buffer.from(item.path);
  const link = Buffer.from(item.link ?? '');
  const flag = typeFlag(item, path);
  const content = Buffer.from(item.content ?? '');
  const records: Record<string, string | Buffer> = {};
  const blocks: Buffer[] = [];
  if (path.length > 100) {
    if (item.gnuLongNames === true) blocks.push(...extension('L', nulTerminated(path)));
    else records['path'] = path;
  }
  if (link.length > 100) {
    if (item.gnuLongNames === true) blocks.push(...extension('K', nulTerminated(link)));
    else records['linkpath'] = link;
  }
  if (typeof item.mtime === 'string') records['mtime'] = item.mtime;
  for (const [name, value] of Object.entries(item.xattrs ?? {})) {
    records[`SCHILY.xattr.${name}`] = value;
  }
  Object.assign(records, item.pax);
  const paxBody = item.rawPax ?? paxRecords(records);
  if (paxBody.length > 0) blocks.push(...extension('x', paxBody));

  const header = rawHeader({
    path,
    link,
    flag,
    mode: item.mode ?? (flag === '5' ? 0o755 : 0o644),
    uid: item.uid ?? 0,
    gid: item.gid ?? 0,
    size: item.claimedSize ?? content.length,
    mtime: typeof item.mtime === 'number' ? item.mtime : 0,
    major: item.major ?? 0,
    minor: item.minor ?? 0,
  });
  item.header?.(header);
  writeChecksum(header);
  item.sealed?.(header);
  blocks.push(header, ...padded(content));
  return blocks;
}

function typeFlag(item: TarItem, path: Buffer): string {
  if (item.type !== undefined) return TYPE_FLAGS[item.type] ?? item.type;
  return path.at(-1) === 0x2f ? '5' : '0';
}

function nulTerminated(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

/** A header of its own with a body: PAX (`x`, `g`) or GNU long name (`L`, `K`). */
function extension(flag: string, body: Buffer): Buffer[] {
  const header = rawHeader({
    path: Buffer.from(flag === 'L' || flag === 'K' ? '././@LongLink' : 'PaxHeaders/entry'),
    link: Buffer.alloc(0),
    flag,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    major: 0,
    minor: 0,
  });
  writeChecksum(header);
  return [header, ...padded(body)];
}

interface RawFields {
  readonly path: Buffer;
  readonly link: Buffer;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

function rawHeader(fields: RawFields): Buffer {
  const block = Buffer.alloc(512);
  fields.path.copy(block, 0, 0, 100);
  writeOctal(block.subarray(100, 108), fields.mode);
  writeOctal(block.subarray(108, 116), fields.uid);
  writeOctal(block.subarray(116, 124), fields.gid);
  writeOctal(block.subarray(124, 136), fields.size);
  writeOctal(block.subarray(136, 148), fields.mtime);
  block.write(fields.flag, 156, 'latin1');
  fields.link.copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  writeOctal(block.subarray(329, 337), fields.major);
  writeOctal(block.subarray(337, 345), fields.minor);
  return block;
}

/** A number field: octal, or GNU base-256 where that is too small or the number negative. */
function writeOctal(field: Buffer, value: number): void {
  const octal = value.toString(8);
  if (value >= 0 && octal.length < field.length) {
    field.write(`${octal.padStart(field.length - 1, '0')}\0`, 'latin1');
    return;
  }
  let rest = BigInt(value);
  for (let index = field.length - 1; index >= 0; index -= 1) {
    field[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] ?? 0) | 0x80;
}

/** Writes the checksum of a 512-byte header into it. */
export function writeChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function padded(content: Buffer): Buffer[] {
  if (content.length === 0) return [];
  return [content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
