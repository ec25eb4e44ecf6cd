import { lstatSync, readFileSync, readlinkSync, statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/** As the kernel's own limit for one path. */
const MAX_LINKS = 40;

/**
 * Checks that nobody but the user and root can lead the places of user mode elsewhere, or change what is in them. HOME or
 * XDG_DATA_HOME may be another user's (su and sudo keep them), a folder may be open to a group: whoever can write there says
 * what the user's services run.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED naming the folder
 */
export function assertOwnPlaces(paths: HostPaths): void {
  const { state, configuration, run } = paths.templateDirectories;
  const places = [paths.stateDir, paths.runDir, paths.unitDir, paths.tmpfilesDir];
  const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  for (const place of [...places, state, configuration, run]) assertOwnWay(place, user);
  for (const place of [paths.stateDir, paths.runDir]) assertPrivate(place);
}

/** Who may own and write what leads to a place. */
interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Every folder and link on the way to a place, links followed by their own ways, is root's or the user's. */
export function assertOwnWay(place: string, user: User): void {
  const open = place.split('/').filter((part) => part !== '');
  let at = '/';
  let links = 0;
  for (let part = open.shift(); part !== undefined; part = open.shift()) {
    const path = resolve(at, part);
    const found = look(place, path);
    if (found === undefined) return; // what comes below is made by us
    assertNotOthers(place, path, { found, user });
    if (!found.isSymbolicLink()) {
      at = path;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw refuse(place, `the links at ${quote(path)} go in circles`);
    const target = readlinkSync(path);
    open.unshift(...target.split('/').filter((next) => next !== '' && next !== '.'));
    if (target.startsWith('/')) at = '/';
  }
}

function assertNotOthers(
  place: string,
  path: string,
  { found, user }: { readonly found: Stats; readonly user: User },
): void {
  if (found.uid !== 0 && found.uid !== user.uid)
    throw refuse(place, `${quote(path)} belongs to user ${found.uid}`);
  if (found.isSymbolicLink()) return;
  const isSticky = (found.mode & 0o1000) !== 0;
  const byOthers = (found.mode & 0o002) !== 0 && !isSticky;
  const byGroup =
    (found.mode & 0o020) !== 0 && !isSticky && found.gid !== 0 && !isUsersAlone(found.gid, user);
  if (byOthers || byGroup)
    throw refuse(place, `${quote(path)} can be written by other users`, `chmod go-w ${path}`);
}

/**
 * Whether a group is the user's own, as most distributions give each user one, with nobody else in it; elsewhere the first group of
 * everybody is 'users'. One that stands in no file is not known to be.
 */
function isUsersAlone(gid: number, user: User): boolean {
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

/** Programs and configurations of services are in there: not even a group of the user's own changes them. */
function assertPrivate(place: string): void {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & 0o022) === 0) return;
  throw refuse(place, 'it can be written by others than its owner', `chmod go-w ${place}`);
}

/** Undefined where nothing is. */
function look(place: string, path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (isErrno(error, 'EACCES'))
      throw refuse(
        place,
        `this user may not look at ${quote(path)}`,
        'is HOME that of another user?',
      );
    throw error;
  }
}

function refuse(place: string, why: string, hint?: string): OperationalError {
  return new OperationalError('HOST_PATH_REFUSED', `refusing to work in ${quote(place)}: ${why}`, {
    hint,
  });
}
