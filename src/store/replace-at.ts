import { isErrno } from '../errors/is-errno.js';
import type { At } from '../sys/libc.js';
import { removeTreeAt } from '../sys/remove-tree.js';
import { renameAt } from '../sys/rename.js';

/** Renames into a place, whatever stands there: a damaged store may have a folder in the place of a file. */
export function replaceAt(from: At, to: At): void {
  try {
    renameAt(from, to);
  } catch (error) {
    if (!isErrno(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
    removeTreeAt(to);
    renameAt(from, to);
  }
}
