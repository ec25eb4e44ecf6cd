import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { isErrno } from '../errors/is-errno.js';

/** As the kernel's own limit for one path. */
const MAX_LINKS = 40;

/** Who may own and write what leads to a place. */
export interface WayUser {
  readonly uid: number;
  readonly gid: number;
}

/** Why somebody else could lead a way elsewhere. */
export interface OpenWay {
  readonly why: string;
  readonly hint?: string;
}

/**
 * Looks at every folder and link on the way to a place, links followed by their own ways, and at the place itself; undefined where
 * all are root's or the user's, and nobody else may write there. What is not there is made by us. With `root` the way begins below
 * that folder, which its links do not leave.
 */
export function findOpenWay(
  place: string,
  { user, root = '' }: { readonly user: WayUser; readonly root?: string },
): OpenWay | undefined {
  const open = place.split('/').filter((part) => part !== '');
  let at = '/';
  let links = 0;
  for (let part = open.shift(); part !== undefined; part = open.shift()) {
    const path = resolve(at, part);
    const found = look(join(root, path));
    if (found === 'nothing') return undefined;
    if (found === 'hidden')
      return {
        why: `this user may not look at ${quote(path)}`,
        hint: 'is HOME that of another user?',
      };
    const others = findOthers(path, found, user);
    if (others !== undefined) return others;
    if (!found.isSymbolicLink()) {
      at = path;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return { why: `the links at ${quote(path)} go in circles` };
    const target = readlinkSync(join(root, path));
    open.unshift(...target.split('/').filter((next) => next !== '' && next !== '.'));
    if (target.startsWith('/')) at = '/';
  }
  return undefined;
}

function findOthers(path: string, found: Stats, user: WayUser): OpenWay | undefined {
  if (found.uid !== 0 && found.uid !== user.uid)
    return { why: `${quote(path)} belongs to user ${found.uid}` };
  if (found.isSymbolicLink()) return undefined;
  const isSticky = (found.mode & 0o1000) !== 0;
  const byOthers = (found.mode & 0o002) !== 0 && !isSticky;
  const byGroup =
    (found.mode & 0o020) !== 0 && !isSticky && found.gid !== 0 && !isUsersAlone(found.gid, user);
  if (byOthers || byGroup)
    return { why: `${quote(path)} can be written by other users`, hint: `chmod go-w ${path}` };
  return undefined;
}

/**
 * Whether a group is the user's own, as most distributions give each user one, with nobody else in it; elsewhere the first group of
 * everybody is 'users'. One that stands in no file is not known to be.
 */
function isUsersAlone(gid: number, user: WayUser): boolean {
  if (gid !== user.gid) return false;
  const rows = (file: string): readonly (readonly string[])[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  const accounts = rows('/etc/passwd');
  const names = accounts.filter(([, , uid]) => uid === String(user.uid)).map(([name]) => name);
  const group = rows('/etc/group').find(([, , id]) => id === String(gid));
  if (group === undefined) return false;
  const members = (group[3] ?? '').split(',').filter((name) => name !== '');
  return (
    members.every((name) => names.includes(name)) &&
    accounts.every(([, , uid, first]) => first !== String(gid) || uid === String(user.uid))
  );
}

function look(path: string): Stats | 'nothing' | 'hidden' {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return 'nothing';
    if (isErrno(error, 'EACCES')) return 'hidden';
    throw error;
  }
}
