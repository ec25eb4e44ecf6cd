import { createHash } from 'node:crypto';

import type { NodeMeta } from '../../layer/tree.js';

/** What tells an object from every other one: its content, and what else an inode keeps. */
export interface ObjectIdentity {
  /** Hexadecimal. */
  readonly contentSha256: string;
  readonly meta: NodeMeta;
}

/** Number of sub-folders of `objects/`: two hexadecimal digits of the content's digest. */
export const OBJECT_FOLDERS: readonly string[] = Array.from({ length: 256 }, (_, number) =>
  number.toString(16).padStart(2, '0'),
);

/**
 * The path of an object below `objects/`:
 *
 *     ab/cdef…-MODE.UID.GID.SECONDS.NANOSECONDS[.XATTRS]
 *
 * Names that are linked share one inode, and with it owner, mode, time and attributes. So each combination is an object of
 * its own, a variant of the content; and a person (and fsck) can read off the name what should be in the file. The numbers
 * are octal, decimal, decimal, and base 36; XATTRS is the start of a digest of the extended attributes.
 */
export function objectName(object: ObjectIdentity): string {
  const { contentSha256: hash, meta } = object;
  const time = `${meta.mtimeSeconds.toString(36)}.${meta.mtimeNanoseconds.toString(36)}`;
  const variant = `${meta.mode.toString(8)}.${meta.uid}.${meta.gid}.${time}`;
  const xattrs = meta.xattrs.length === 0 ? '' : `.${xattrsDigest(meta)}`;
  return `${hash.slice(0, 2)}/${hash.slice(2)}-${variant}${xattrs}`;
}

/** Digest of extended attributes, 32 hexadecimal digits: collisions are nobody's gain, since content and mode are named in full. */
export function xattrsDigest(meta: Pick<NodeMeta, 'xattrs'>): string {
  const hash = createHash('sha256');
  for (const { name, value } of meta.xattrs) {
    hash.update(`${name.length} ${value.length} `).update(name, 'latin1').update(value);
  }
  return hash.digest('hex').slice(0, 32);
}

/** What the name of an object says; undefined for what is no such name. */
export interface ParsedObjectName {
  readonly contentSha256: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** {@link xattrsDigest}, or undefined where there are none. */
  readonly xattrs: string | undefined;
}

const NAME =
  /^([0-9a-f]{62})-([0-7]{1,4})\.(\d{1,10})\.(\d{1,10})\.(-?[0-9a-z]{1,8})\.([0-9a-z]{1,6})(?:\.([0-9a-f]{32}))?$/;

/** Parses the name of a file in a folder of `objects/`. */
export function parseObjectName(folder: string, name: string): ParsedObjectName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, rest = '', mode = '', uid = '', gid = '', seconds = '', nanoseconds = '', xattrs] =
    match;
  return {
    contentSha256: folder + rest,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    mtimeSeconds: Number.parseInt(seconds, 36),
    mtimeNanoseconds: Number.parseInt(nanoseconds, 36),
    xattrs,
  };
}
