import { closeSync, constants } from 'node:fs';

import { isErrno } from '../../errors/is-errno.js';
import type { FileNode } from '../../layer/tree.js';
import { linkAt, openAt } from '../../sys/at.js';
import { copyContent } from '../../sys/copy-content.js';
import { scratchName, type At } from '../../sys/libc.js';
import { linkBytes, type AtBytes } from '../../sys/link-bytes.js';
import { objectMissing, type FileContents, type LinksAside } from '../file-contents.js';
import type { RecordedFile } from '../record-cursor.js';
import {
  MAX_OBJECT_NAME_BYTES,
  objectName,
  ObjectNameWriter,
  writeObjectName,
} from './object-name.js';
import { runningObjectThread } from './object-thread.js';
import { renewObject } from './renew-object.js';
import { ThreadedLinks } from './threaded-links.js';

/** The objects of the embedded store, for one checkout. */
export class ObjectContents implements FileContents {
  readonly #objectsFd: number;
  readonly #tempPath: string;
  readonly #names = new ObjectNameWriter();
  readonly #name = Buffer.alloc(MAX_OBJECT_NAME_BYTES);
  /** Objects can be linked to where we write; false after the first EXDEV. */
  #canLink = true;

  /** `objectsFd` is `objects/`, `tempPath` `tmp/` of the store. */
  constructor(objectsFd: number, tempPath: string) {
    this.#objectsFd = objectsFd;
    this.#tempPath = tempPath;
  }

  link(node: FileNode, at: At): boolean {
    if (!this.#canLink) return false;
    writeObjectName(this.#name, 0, node);
    const isLinked = linkBytes(
      { dirFd: this.#objectsFd, name: this.#name },
      { dirFd: at.dirFd, name: scratchName(at.name) },
    );
    return isLinked || this.#linkOrSayWhy(node, at);
  }

  #linkOrSayWhy(node: FileNode, at: At): boolean {
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

  linkRecorded(file: RecordedFile, at: AtBytes): boolean {
    if (!this.#canLink) return false;
    return linkBytes({ dirFd: this.#objectsFd, name: this.#names.write(file) }, at);
  }

  aside(): LinksAside | undefined {
    const thread = runningObjectThread();
    return thread === undefined ? undefined : new ThreadedLinks(thread, this.#objectsFd);
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
