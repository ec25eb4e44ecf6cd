import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path/posix';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';

/**
 * Of the paths that tmpfiles lines make, those that are not there yet, with their missing parents; parents first. They
 * are what uninstalling may take away again.
 */
export async function findPathsToCreate(
  paths: HostPaths,
  made: readonly string[],
): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const path of made) {
    const chain: string[] = [];
    for (
      let folder = path;
      folder !== '/' && !(await exists(paths.onDisk(folder)));
      folder = dirname(folder)
    ) {
      chain.unshift(folder);
    }
    for (const folder of chain) missing.add(folder);
  }
  return [...missing].sort();
}

async function exists(onDisk: string): Promise<boolean> {
  try {
    await lstat(onDisk);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
