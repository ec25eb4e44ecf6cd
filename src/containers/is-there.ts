import { lstat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';

/** Whether anything is at a path of the disk; a link is, wherever it leads. */
export async function isThere(pathOnDisk: string): Promise<boolean> {
  try {
    await lstat(pathOnDisk);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
