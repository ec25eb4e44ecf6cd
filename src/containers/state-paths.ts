import { readFile, rmdir } from 'node:fs/promises';

import { quote } from '../base/escape-text.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { removePath } from './remove-path.js';
import { covers } from './host-path-policy.js';

/**
 * Removes the folders that came into being with a container: those of the run-time directory with what is in them, the
 * others when they are empty or `purge` is asked for. Gives those that stay, without the ones inside them.
 *
 * @throws {@link OperationalError} SYSTEM_CALL_FAILED if something is mounted there: what is behind a mount is not ours
 */
export async function removeStatePaths(
  paths: HostPaths,
  created: readonly string[],
  options: { readonly purge: boolean },
): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const path of [...created].reverse()) {
    const onDisk = paths.onDisk(path);
    if (options.purge || covers(paths.templateDirectories.run, path)) {
      if (paths.root === '') await assertNothingMounted(onDisk);
      removePath(onDisk);
    } else if (!(await removeIfEmpty(onDisk))) kept.push(path);
  }
  return kept.filter((path) => !kept.some((other) => other !== path && covers(other, path))).sort();
}

async function removeIfEmpty(onDisk: string): Promise<boolean> {
  try {
    await rmdir(onDisk);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return true;
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) return false;
    throw error;
  }
}

async function assertNothingMounted(onDisk: string): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'latin1');
  for (const line of mounts.split('\n')) {
    const mountPoint = (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    if (mountPoint !== '' && covers(onDisk, mountPoint)) {
      throw new OperationalError(
        'SYSTEM_CALL_FAILED',
        `refusing to remove ${quote(onDisk)}: something is mounted on ${quote(mountPoint)}`,
        { hint: 'unmount it, then run the command again' },
      );
    }
  }
}
