import { closeSync, constants } from 'node:fs';

import { isErrno } from '../../errors/is-errno.js';
import type { FileNode } from '../../layer/tree.js';
import { linkAt, openAt } from '../../sys/at.js';
import { copyContent } from '../../sys/copy-content.js';
import type { At } from '../../sys/libc.js';
import { objectMissing, type FileContents } from '../file-contents.js';
import { objectName } from './object-name.js';
import { renewObject } from './renew-object.js';

/** The objects of the embedded store, for one checkout. */
export class ObjectContents implements FileContents {
  readonly #objectsFd: number;
  readonly #tempPath: string;
  /** Objects can be linked to where we write; false after the first EXDEV. */
  #canLink = true;

  /** `objectsFd` is `objects/`, `tempPath` `tmp/` of the store. */
  constructor(objectsFd: number, tempPath: string) {
    this.#objectsFd = objectsFd;
    this.#tempPath = tempPath;
  }

  link(node: FileNode, at: At): boolean {
    if (!this.#canLink) return false;
    const object = { dirFd: this.#objectsFd, name: objectName(node) };
    try {
      linkAt(object, at);
    } catch (error) {
      if (isErrno(error, 'EMLINK')) {
        renewObject({ object, tempPath: this.#tempPath, meta: node.meta });
        linkAt(object, at);
      } else if (isErrno(error, 'EXDEV', 'EPERM')) {
        // Another file system; or this one file may not be linked (immutable, or not ours: fs.protected_hardlinks).
        if (error.code === 'EXDEV') this.#canLink = false;
        return false;
      } else if (isErrno(error, 'ENOENT')) throw objectMissing(node.contentSha256);
      else throw error;
    }
    return true;
  }

  copy(node: FileNode, to: number): number {
    const object = { dirFd: this.#objectsFd, name: objectName(node) };
    let from: number;
    try {
      from = openAt(object, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw objectMissing(node.contentSha256);
      throw error;
    }
    try {
      return copyContent(from, to);
    } finally {
      closeSync(from);
    }
  }
}
