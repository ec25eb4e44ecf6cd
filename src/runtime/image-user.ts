import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** The last id means "no change" to the kernel. */
const MAX_ID = 0xffff_fffe;

/** A user of an image, in numbers. */
export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups by the image's group file; empty where a group was named. */
  readonly groups: readonly number[];
  /** Home directory by the image's passwd file. */
  readonly home: string | undefined;
}

/** The files of an image that name its users. */
export interface UserFiles {
  readonly passwd?: string | undefined;
  readonly group?: string | undefined;
}

/**
 * Resolves `USER[:GROUP]` of an image (image-spec config.md, "User"). Digits are always a number, never a name: an image
 * could else make "1000" root in its passwd (CVE-2016-3697). A number that does not fit is refused, never looked up.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function resolveImageUser(text: string, files: UserFiles): ImageUser {
  const match = /^([^:]*)(?::(.+))?$/.exec(text);
  const [, user = '', group] = match ?? [];
  if (match === null) refuse(text, 'it has an empty group');
  const account = findAccount(user, files.passwd);
  const uid = parseId(user, text) ?? account?.uid;
  if (uid === undefined) refuse(text, `the image has no user ${quote(user)}`);
  if (group === undefined) {
    return {
      uid,
      gid: account?.gid ?? 0,
      groups: account === undefined ? [] : memberships(account.name, files.group),
      home: account?.home,
    };
  }
  const gid = parseId(group, text) ?? findGroup(group, files.group);
  if (gid === undefined) refuse(text, `the image has no group ${quote(group)}`);
  return { uid, gid, groups: [], home: account?.home };
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

function findAccount(user: string, passwd: string | undefined): Account | undefined {
  const number = /^\d+$/.test(user) || user === '' ? Number(user) : undefined;
  for (const line of lines(passwd)) {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    if (!isId(uid) || !isId(gid)) continue;
    if (number === undefined ? name === user : Number(uid) === number) {
      return { name, uid: Number(uid), gid: Number(gid), home };
    }
  }
  return undefined;
}

function findGroup(group: string, file: string | undefined): number | undefined {
  const line = lines(file).find((entry) => entry.split(':')[0] === group);
  const gid = line?.split(':')[2];
  return gid !== undefined && isId(gid) ? Number(gid) : undefined;
}

function memberships(user: string, file: string | undefined): readonly number[] {
  return lines(file).flatMap((line) => {
    const [, , gid = '', members = ''] = line.split(':');
    return isId(gid) && members.split(',').includes(user) ? [Number(gid)] : [];
  });
}

/** A number in range; undefined for what is a name. */
function parseId(text: string, whole: string): number | undefined {
  if (text === '') return 0;
  if (isId(text)) return Number(text);
  if (/^[-+\d\s]/.test(text)) refuse(whole, `${quote(text)} is not an id from 0 to ${MAX_ID}`);
  return undefined;
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

function lines(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n');
}

function refuse(user: string, problem: string): never {
  throw new OperationalError(
    'RUNTIME_CONFIG_INVALID',
    `cannot use user ${quote(user)}: ${problem}`,
  );
}
