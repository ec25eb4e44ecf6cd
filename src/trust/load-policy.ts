import { constants } from 'node:fs';
import { dirname } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { lstat, open, stat, type QuickFile } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { parsePolicy } from './parse-policy.js';
import { ACCEPT_ANYTHING, type TrustPolicy } from './policy.js';

/** Largest policy in bytes: one with a hundred keys inside has some 300 KiB. */
const MAX_POLICY_BYTES = 1024 * 1024;

/** Where a policy is. */
export interface PolicyPlace {
  readonly path: string;
  /** Whether somebody named it: then it has to be there, and may be a symbolic link. */
  readonly isNamed: boolean;
}

/**
 * Reads the policy of a host. One that is not there says nothing, unless somebody named it: then everything is taken.
 *
 * @throws OperationalError CONFIG_INVALID if it cannot be read, or others than root and berth's own user could have written it
 */
export async function loadPolicy(place: PolicyPlace): Promise<TrustPolicy> {
  const bytes = await readPolicy(place);
  return bytes === undefined ? ACCEPT_ANYTHING : parsePolicy(bytes, place.path);
}

/**
 * The text of the policy; undefined where there is none.
 *
 * @throws as {@link loadPolicy}
 */
export async function readPolicy({ path, isNamed }: PolicyPlace): Promise<Buffer | undefined> {
  let file: QuickFile;
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (isNamed ? 0 : constants.O_NOFOLLOW);
  try {
    file = await open(path, flags);
  } catch (error) {
    if (isErrno(error, 'ENOENT') && !isNamed) {
      const link = await findDanglingLink(dirname(path));
      if (link === undefined) return undefined;
      throw unfit(path, `cannot be looked for: ${quote(link)} leads nowhere`, {
        hint: 'mount what it leads to, or remove the link',
      });
    }
    if (isErrno(error, 'ELOOP')) {
      throw unfit(path, 'is a symbolic link, refusing to follow it', {
        hint: 'name the file that it leads to as policy in the section [trust] of berth.conf',
      });
    }
    throw unfit(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  try {
    const found = await file.stat();
    const { uid, mode } = found;
    if (!found.isFile()) throw unfit(path, 'is not a regular file');
    if (found.size > MAX_POLICY_BYTES)
      throw unfit(path, `is larger than ${MAX_POLICY_BYTES} bytes, refusing to read it`);
    if ((mode & 0o022) !== 0)
      throw unfit(path, 'can be written by others than its owner, refusing to go by it', {
        hint: `chmod go-w ${path}`,
      });
    if (uid !== 0 && uid !== process.geteuid?.())
      throw unfit(path, `belongs to user ${uid}, refusing to go by it`, {
        hint: `chown root: ${path}`,
      });
    return await readFileBounded(`/proc/self/fd/${file.fd}`, { maxBytes: MAX_POLICY_BYTES });
  } finally {
    await file.close();
  }
}

/** A policy behind a link that leads nowhere, to what is not mounted, is not one that nobody wrote. */
async function findDanglingLink(folder: string): Promise<string | undefined> {
  try {
    if (!(await lstat(folder)).isSymbolicLink()) return undefined;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return await findDanglingLink(dirname(folder));
  }
  try {
    await stat(folder);
    return undefined;
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    return folder;
  }
}

function unfit(
  path: string,
  why: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): OperationalError {
  return new OperationalError('CONFIG_INVALID', `the policy ${quote(path)} ${why}`, options);
}
