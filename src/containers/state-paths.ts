import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { encodeByteString } from '../layer/tree.js';
import { rmdirAt } from '../sys/at.js';
import type { At } from '../sys/libc.js';
import { readMountTable } from '../sys/mount-table.js';
import { openInRoot } from '../sys/open-in-root.js';
import { removeTreeAt } from '../sys/remove-tree.js';
import { covers } from './host-path-policy.js';

/** Options of {@link removeStatePaths}. */
export interface RemoveStateOptions {
  /** Removes folders with what is in them, not only empty ones. */
  readonly purge: boolean;
  /** Whether another container needs a path. */
  isUsedByOthers(path: string): boolean;
}

/**
 * Removes the folders that came into being with a container: those of the run-time directory with what is in them, the
 * others when they are empty or `purge` is asked for. Gives those that stay, without the ones inside them.
 *
 * The container could write there, as root: a folder that it replaced by a link to /etc must not make its uninstallation
 * remove what is in /etc. So no link is followed on the way (CVE-2017-18078 is systemd-tmpfiles' of this kind).
 *
 * @throws {@link OperationalError} SYSTEM_CALL_FAILED if something is mounted there: what is behind a mount is not ours
 */
export function removeStatePaths(
  paths: HostPaths,
  created: readonly string[],
  options: RemoveStateOptions,
): readonly string[] {
  const kept: string[] = [];
  const shared = Object.values(paths.templateDirectories);
  for (const path of [...created].reverse()) {
    // A folder in which others have theirs, and which was not there yet: only while nothing is in it.
    const isShared = shared.some((folder) => covers(path, folder));
    const whole = !isShared && (options.purge || covers(paths.templateDirectories.run, path));
    if (whole && paths.root === '') assertNothingMounted(path);
    if (options.isUsedByOthers(path) || !removeWithoutLinks(paths, path, { whole })) {
      if (!isShared) kept.push(path);
    }
  }
  return kept.filter((path) => !kept.some((other) => other !== path && covers(other, path))).sort();
}

/** Whether the path is gone now. */
function removeWithoutLinks(
  paths: HostPaths,
  path: string,
  options: { readonly whole: boolean },
): boolean {
  const root = openSync(paths.onDisk('/'), constants.O_RDONLY | constants.O_DIRECTORY);
  let parent: number | undefined;
  try {
    parent = openParent(root, path);
    if (parent === undefined) return false;
    const at = { dirFd: parent, name: encodeByteString(basename(path)) };
    if (!options.whole && !removeIfEmpty(at)) return false;
    if (options.whole) removeTreeAt(at);
    fsyncSync(parent); // it may be on a file system of its own
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return true;
    // What a container of a user wrote as one of its other ids belongs to none that the user is.
    if (paths.mode === 'user' && isErrno(error, 'EACCES', 'EPERM')) return false;
    throw error;
  } finally {
    if (parent !== undefined) closeSync(parent);
    closeSync(root);
  }
}

/** The folder of a path; undefined where a symbolic link lies on the way: what is behind it is not ours. */
function openParent(root: number, path: string): number | undefined {
  try {
    return openInRoot(root, encodeByteString(dirname(path)), {
      flags: constants.O_RDONLY | constants.O_DIRECTORY,
      noSymlinks: true,
    });
  } catch (error) {
    if (isErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
}

function removeIfEmpty(at: At): boolean {
  try {
    rmdirAt(at);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    // ENOTDIR: a link or file that a tmpfiles line made. It is state like any other.
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR')) return false;
    throw error;
  }
}

function assertNothingMounted(path: string): void {
  for (const { place } of readMountTable()) {
    if (covers(encodeByteString(path), place)) {
      throw new OperationalError(
        'SYSTEM_CALL_FAILED',
        `refusing to remove ${quote(path)}: something is mounted on ${quote(place)}`,
        { hint: 'unmount it, then run the command again' },
      );
    }
  }
}
