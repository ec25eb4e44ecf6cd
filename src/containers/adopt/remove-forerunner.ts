import { join } from 'node:path/posix';

import { lstat } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { loadDeployment } from '../container-directory.js';
import type { Host } from '../host.js';
import { removeStatePaths } from '../state-paths.js';
import { FORERUNNER_DIRECTORY, isForerunnerDeployment } from './forerunner-files.js';

/**
 * Removes what atomic keeps of a container, where one of these deployments was adopted from it: they go, and with them the
 * last that refers to it. No link is followed, and nothing is removed elsewhere than where atomic has it. Call before
 * the deployments themselves are removed; may be repeated.
 */
export async function removeForerunner(
  host: Host,
  name: string,
  numbers: readonly number[],
): Promise<void> {
  const { paths } = host;
  for (const number of numbers) {
    const from = await adoptedFrom(host, `${name}.${number}`);
    if (from === undefined || !isForerunnerDeployment(from, name)) continue;
    // atomic has two deployments of a container at most, .0 and .1.
    const link = join(FORERUNNER_DIRECTORY, name);
    const doomed = [from, `${link}.0`, `${link}.1`];
    if (await isLink(paths.onDisk(link))) doomed.push(link);
    removeStatePaths(paths, [...new Set(doomed)], {
      purge: true,
      isUsedByOthers: () => false,
    });
  }
}

/** A record that cannot be read says nothing of atomic: its directory stays. */
async function adoptedFrom(host: Host, directory: string): Promise<string | undefined> {
  try {
    return (await loadDeployment(host.paths, directory)).adoptedFrom;
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}

async function isLink(pathOnDisk: string): Promise<boolean> {
  try {
    return (await lstat(pathOnDisk)).isSymbolicLink();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
