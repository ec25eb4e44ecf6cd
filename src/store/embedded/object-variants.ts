import { closeSync, constants, fstatSync, readdirSync } from 'node:fs';

import { isErrno } from '../../errors/is-errno.js';
import { openAt, unlinkAt } from '../../sys/at.js';
import { cloneContent } from '../../sys/copy-content.js';

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;

/** Objects whose names are kept to find variants by, some 30 MB of them: a host with more writes what it could have shared. */
const MAX_KNOWN = 200_000;

/** Where the objects are. */
export interface VariantsPlace {
  readonly objectsFd: number;
  /** `objects/`. */
  readonly objectsPath: string;
  /** A temporary folder of the same file system. */
  readonly tempFd: number;
  /** Objects that are damaged: nothing is shared with them. */
  readonly damaged: ReadonlySet<string>;
}

/**
 * Objects of the same content and other metadata: a base that is built again has the same files with new times, and where the
 * file system can, such a file shares the blocks of the one that is there (FICLONE) and takes no room but for its inode.
 */
export class ObjectVariants {
  readonly #place: VariantsPlace;
  /** Of each folder that was looked into: rest of the content's digest → name of one object. */
  readonly #folders = new Map<string, ReadonlyMap<string, string>>();
  #known = 0;
  /** Undefined before it was tried. */
  #canShare: boolean | undefined;

  constructor(place: VariantsPlace) {
    this.#place = place;
  }

  /** Opens an object that a new one of so many bytes can share blocks with, for the caller to close; undefined where there is none. */
  open(object: string, size: number): number | undefined {
    const name = this.#find(object);
    if (name === undefined) return undefined;
    const at = { dirFd: this.#place.objectsFd, name };
    try {
      const fd = openAt(at, constants.O_RDONLY | constants.O_NOFOLLOW);
      // One that lost its end is damaged, known or not.
      if (fstatSync(fd).size === size) return fd;
      closeSync(fd);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ELOOP', 'EACCES')) throw error;
    }
    return undefined;
  }

  #find(object: string): string | undefined {
    this.#canShare ??= canShare(this.#place.tempFd);
    if (!this.#canShare) return undefined;
    const folder = object.slice(0, object.indexOf('/'));
    let names = this.#folders.get(folder);
    if (names === undefined) {
      names = this.#known < MAX_KNOWN ? this.#list(folder) : new Map<string, string>();
      this.#known += names.size;
      this.#folders.set(folder, names);
    }
    return names.get(contentOf(object.slice(folder.length + 1)));
  }

  #list(folder: string): ReadonlyMap<string, string> {
    const names = readdirSync(`${this.#place.objectsPath}/${folder}`, 'latin1');
    return new Map(
      names
        .map((name) => [contentOf(name), `${folder}/${name}`] as const)
        .filter(([, name]) => !this.#place.damaged.has(name)),
    );
  }
}

/** The part of a name that stands for the content. */
function contentOf(name: string): string {
  return name.slice(0, name.indexOf('-'));
}

/** Whether files of this file system can share blocks: tried with two that are empty, which those that cannot refuse as well. */
function canShare(tempFd: number): boolean {
  const files = ['share-from', 'share-to'].map((name) => ({ dirFd: tempFd, name }));
  const fds = files.map((at) => openAt(at, NEW_FILE, 0o600));
  try {
    const [from = -1, to = -1] = fds;
    return cloneContent(from, to);
  } finally {
    fds.forEach(closeSync);
    files.forEach(unlinkAt);
  }
}
