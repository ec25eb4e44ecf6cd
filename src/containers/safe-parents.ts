import { dirname, join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { lstat, stat } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { assertInsideTree } from './inside-tree.js';

/**
 * Checks the folders above a path of the host before a file is written there, and gives those that are missing or
 * came with another container (`isOurs`), top first. A folder that somebody other than its owner could swap while berth writes (a link or folder of a foreign user,
 * or one that others may write without the sticky bit) is refused: that race is how package managers have been led
 * outside (CVE-2017-7500, CVE-2021-35939). Links of root, as of a merged /usr, are fine; in the tree of `--root`, those
 * that stay inside it.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export async function findMissingParents(
  paths: HostPaths,
  path: string,
  isOurs: (folder: string) => boolean = () => false,
): Promise<readonly string[]> {
  const owners = paths.mode === 'system' ? [0] : [0, process.geteuid?.() ?? 0];
  const missing: string[] = [];
  for (const folder of ancestors(path)) {
    const onDisk = paths.onDisk(folder);
    try {
      const link = await lstat(onDisk);
      const target = link.isSymbolicLink() ? await stat(onDisk) : link;
      if (link.isSymbolicLink()) await assertInsideTree(paths, folder);
      if (!target.isDirectory()) throw refuse(path, `${quote(folder)} is not a folder`);
      if (paths.root === '') assertUnswappable(path, folder, { link, target, owners });
      if (isOurs(folder)) missing.push(folder);
    } catch (error) {
      if (isErrno(error, 'ENOTDIR', 'ELOOP'))
        throw refuse(path, `${quote(folder)} is not a folder`);
      if (!isErrno(error, 'ENOENT')) throw error;
      if (await isLinkThere(onDisk))
        throw refuse(path, `${quote(folder)} is a link that leads nowhere`);
      // Also where another container brings it at this moment: then both do.
      missing.push(folder);
    }
  }
  return missing;
}

function assertUnswappable(
  path: string,
  folder: string,
  found: { link: OwnedMode; target: OwnedMode; owners: readonly number[] },
): void {
  for (const status of [found.link, found.target]) {
    const mode = status.mode & 0o7777;
    const writableByOthers = !isLink(status) && (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
    if (!found.owners.includes(status.uid) || writableByOthers) {
      const allowed = found.owners.length === 1 ? 'root' : 'root and this user';
      throw refuse(path, `${quote(folder)} can be changed by others than ${allowed}`);
    }
  }
}

interface OwnedMode {
  readonly uid: number;
  readonly mode: number;
}

function isLink(status: OwnedMode): boolean {
  return (status.mode & 0o170000) === 0o120000;
}

/** The folders above a path, without `/`, top first. */
function ancestors(path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folder !== '/'; folder = dirname(folder))
    folders.unshift(folder);
  return folders.map((folder) => join(folder));
}

async function isLinkThere(onDisk: string): Promise<boolean> {
  try {
    return (await lstat(onDisk)).isSymbolicLink();
  } catch {
    return false; // whatever the reason, the caller's own attempt will say it better
  }
}

function refuse(path: string, why: string): OperationalError {
  return new OperationalError('HOST_PATH_REFUSED', `refusing to write ${quote(path)}: ${why}`);
}
