import { closeSync, constants } from 'node:fs';

import { createFileHash, openFile, type Checksum } from '../../../ostree-adapter/index.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { FileNode } from '../../layer/tree.js';
import { linkAt, openAt } from '../../sys/at.js';
import { copyContent, writeFully } from '../../sys/copy-content.js';
import type { At } from '../../sys/libc.js';
import { isPrivileged } from '../apply-meta.js';
import { objectMissing, type FileContents } from '../file-contents.js';
import { objectOf } from './layer-files.js';
import { repositoryError } from './repository-error.js';
import type { RepositoryPlace } from './repository-place.js';
import { isTame, isWild } from './tame-objects.js';

/** Read at once where libostree has to unpack an object. */
const PIECE_BYTES = 256 * 1024;

/**
 * The content objects of a repository, for one checkout. In a `bare` one an object's file is just like the file of the
 * image, and is linked to; in others owner and mode stand beside it, so that only its blocks can be shared.
 */
export class RepositoryContents implements FileContents {
  readonly #place: RepositoryPlace;
  readonly #isPlain: boolean;
  #canLink: boolean;

  constructor(place: RepositoryPlace) {
    this.#place = place;
    this.#canLink = place.mode === 'bare' && isPrivileged();
    this.#isPlain = place.mode !== 'archive' && place.mode !== 'bare-split-xattrs';
  }

  link(node: FileNode, at: At): boolean {
    if (!this.#canLink) return false;
    const object = objectIn(node);
    if (!isTame(node.meta) && !isWild(this.#place, object, node.meta)) return false;
    try {
      linkAt(this.#objectAt(object), at);
      return true;
    } catch (error) {
      // Another file system; or as many links as there can be, an immutable file, or an object of the parent repository.
      if (isErrno(error, 'EXDEV')) this.#canLink = false;
      if (isErrno(error, 'EXDEV', 'EMLINK', 'EPERM', 'ENOENT')) return false;
      throw error;
    }
  }

  copy(node: FileNode, to: number): number {
    const object = objectIn(node);
    if (!this.#isPlain) return this.#copyThrough(object, to);
    let from: number;
    try {
      from = openAt(this.#objectAt(object), constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return this.#copyThrough(object, to);
      throw error;
    }
    try {
      return copyContent(from, to);
    } finally {
      closeSync(from);
    }
  }

  #objectAt(object: Checksum): At {
    return {
      dirFd: this.#place.objectsFd,
      name: `${object.slice(0, 2)}/${object.slice(2)}.file`,
    };
  }

  /** The way of libostree: for compressed objects and those of a parent repository. */
  #copyThrough(object: Checksum, to: number): number {
    try {
      using file = openFile(this.#place.repo, object);
      const buffer = Buffer.allocUnsafe(PIECE_BYTES);
      let copied = 0;
      for (let length = file.read(buffer); length > 0; length = file.read(buffer)) {
        writeFully(to, buffer.subarray(0, length));
        copied += length;
      }
      return copied;
    } catch (error) {
      throw missing(error, object, this.#place.root);
    }
  }
}

/**
 * The content of a file of an image, hashed again.
 *
 * @throws `OperationalError` LIMIT_EXCEEDED, STORE_INVALID
 */
export function readContent(place: RepositoryPlace, node: FileNode, maxBytes: number): Buffer {
  if (node.size > maxBytes) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `a file of the image has ${node.size} bytes, refusing to read more than ${maxBytes}`,
    );
  }
  if (node.size === 0) return Buffer.alloc(0);
  const object = objectIn(node);
  try {
    using file = openFile(place.repo, object);
    if (file.size === node.size) {
      const content = file.readAll();
      if (createFileHash(file.header).update(content).digest('hex') === object) return content;
    }
  } catch (error) {
    throw missing(error, object, place.root);
  }
  throw new OperationalError('STORE_INVALID', `object ${object} of the repository is damaged`, {
    hint: 'pull the image again',
  });
}

function objectIn(node: FileNode): Checksum {
  const object = objectOf(node);
  if (object === undefined) throw new Error('internal error: a file of another store');
  return object;
}

function missing(error: unknown, object: string, root: string): unknown {
  const isMissing = error instanceof Error && 'isNotFound' in error && error.isNotFound === true;
  return isMissing ? objectMissing(object) : repositoryError(error, root);
}
