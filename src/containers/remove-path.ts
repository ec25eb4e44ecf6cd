import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import { removeTreeAt } from '../sys/remove-tree.js';

/** Removes a file or folder with all that is in it; links are not followed. What is gone already is success. */
export function removePath(pathOnDisk: string): void {
  let folder: number;
  try {
    folder = openSync(dirname(pathOnDisk), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  try {
    removeTreeAt({ dirFd: folder, name: encodeByteString(basename(pathOnDisk)) });
  } finally {
    closeSync(folder);
  }
}
