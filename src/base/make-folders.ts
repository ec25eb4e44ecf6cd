import { dirname } from 'node:path';

import { chmod, mkdir, stat } from './quick-files.js';
import { isErrno } from '../errors/is-errno.js';

/**
 * Makes a folder and those on the way to it, with the given permission bits (less the umask); what is there already is
 * left as it is. Node's own `recursive` calls a full disk `ENOENT`: it asks what stands there when making it failed.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  try {
    await makeFolder(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (!isErrno(error, 'ENOENT') || parent === path) throw error;
    await makeFolders(parent, mode);
    await makeFolder(path, mode);
  }
}

/** As {@link makeFolders}, for what other users and their programs read: 0755, whatever the umask is. */
export async function makeReadableFolders(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const parent = dirname(path);
    if (isErrno(error, 'EEXIST')) {
      await makeFolder(path, 0o755);
      return;
    }
    if (!isErrno(error, 'ENOENT') || parent === path) throw error;
    await makeReadableFolders(parent);
    await makeReadableFolders(path);
    return;
  }
  await chmod(path, 0o755);
}

async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !(await stat(path)).isDirectory()) throw error;
  }
}
