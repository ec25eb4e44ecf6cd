import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

import { isErrno } from '../errors/is-errno.js';

/** As `mkdir -p`, for nobody but the owner. Node's own says ENOENT where the file system is read-only. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    makeFolder(path);
  }
}
