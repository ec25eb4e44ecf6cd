import { existsSync } from 'node:fs';

import { readdir } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';

/** Names of what lies in a folder of the disk; none where there is no such folder. */
export async function listFolder(pathOnDisk: string): Promise<readonly string[]> {
  // Where mostly none is there: a failure that is caught costs ten looks.
  if (!existsSync(pathOnDisk)) return [];
  try {
    return await readdir(pathOnDisk);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
