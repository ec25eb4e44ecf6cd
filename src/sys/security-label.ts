import { closeSync, constants, type Dirent, existsSync, readdirSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { openAt } from './at.js';
import { AT_FDCWD, type At } from './libc.js';
import { getXattrAt, setXattrAt } from './xattrs.js';

/*
 * The labels of SELinux on files, as the kernel keeps them. Setting them needs no library and no SELinux in the kernel: a tree
 * can get the labels of its own policy on any machine.
 */

const XATTR = 'security.selinux';

/** Whether the running kernel goes by labels: its policy is loaded. */
export function isKernelLabelling(): boolean {
  return existsSync('/sys/fs/selinux/enforce');
}

/** A path of this host for the calls of this file. */
export function pathAt(path: string): At {
  return { dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') };
}

/** The label of the thing itself, links not followed; undefined where it has none, or its file system keeps none. */
export function readLabel(at: At): string | undefined {
  return getXattrAt(at, XATTR)?.toString('utf8').replace(/\0$/, '');
}

/**
 * Gives something, links not followed, the type of a context, as restorecon(8) does: a user, role and level that it has
 * already stay. Gives whether that changed anything. What its file system cannot keep is left.
 *
 * @throws the error of the system: EACCES or EPERM where this process may not, EINVAL where the kernel's policy has no such type
 */
export function giveLabel(at: At, context: string): boolean {
  const present = readLabel(at);
  if (present !== undefined && typeOf(present) === typeOf(context)) return false;
  const wanted = present === undefined ? context : withType(present, typeOf(context));
  try {
    setXattrAt(at, { name: XATTR, value: Buffer.from(`${wanted}\0`) });
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) return false;
    throw error;
  }
}

/** The type in a context: `user:role:type:level`. */
export function typeOf(context: string): string {
  return context.split(':')[2] ?? '';
}

function withType(context: string, type: string): string {
  const parts = context.split(':');
  parts[2] = type;
  return parts.join(':');
}

/** Something in a folder that {@link giveLabelsBelow} comes to. */
export interface LabelledEntry {
  /** Below the folder; a byte string. */
  readonly path: string;
  /** What it is, as in `st_mode`. */
  readonly type: number;
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** {@link giveLabel} for all that is in a folder; `contextOf` gives undefined for what is to stay as it is. */
export function giveLabelsBelow(
  folder: At,
  contextOf: (entry: LabelledEntry, at: At) => string | undefined,
): void {
  walk(folder, '', (at, entry) => {
    const context = contextOf(entry, at);
    if (context !== undefined) giveLabel(at, context);
  });
}

/** By descriptors: neither the depth of what an image brought nor a link in it leads elsewhere. */
function walk(folder: At, prefix: string, visit: (at: At, entry: LabelledEntry) => void): void {
  const fd = openAt(folder, DIRECTORY);
  try {
    const entries = readdirSync(`/proc/self/fd/${fd}`, {
      encoding: 'latin1',
      withFileTypes: true,
    });
    for (const entry of entries) {
      const at = { dirFd: fd, name: entry.name };
      const path = prefix + entry.name;
      visit(at, { path, type: fileTypeOf(entry) });
      if (entry.isDirectory()) walk(at, `${path}/`, visit);
    }
  } finally {
    closeSync(fd);
  }
}

function fileTypeOf(entry: Dirent): number {
  if (entry.isDirectory()) return constants.S_IFDIR;
  if (entry.isSymbolicLink()) return constants.S_IFLNK;
  if (entry.isFIFO()) return constants.S_IFIFO;
  if (entry.isSocket()) return constants.S_IFSOCK;
  if (entry.isBlockDevice()) return constants.S_IFBLK;
  return entry.isCharacterDevice() ? constants.S_IFCHR : constants.S_IFREG;
}
