import { closeSync, constants, fstatSync, readdirSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import type { NodeMeta } from '../layer/tree.js';
import { mkdirAt, openAt, unlinkAt } from '../sys/at.js';
import { isThere } from '../sys/is-there.js';
import { renameAt, renameNoReplaceAt } from '../sys/rename.js';
import { diskMeta, type PresetMeta } from './apply-meta.js';
import { replaceAt } from './replace-at.js';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** Where objects are made, and where they will be. */
export interface StagePlace {
  /** A temporary folder of nobody else's, not even to look into, on the file system of `objects/`. */
  readonly tempFd: number;
  readonly tempPath: string;
  /** `objects/`. */
  readonly objectsFd: number;
  /** Objects that are there and damaged: those made here take their places. */
  readonly replace: ReadonlySet<string>;
  /** Whether a folder of `objects/` with nothing in it may be replaced by another one of mode 0700. */
  readonly movesFolders?: boolean | undefined;
  /** Makes what an object's path leads through, if it is not there. */
  makeWay?(name: string): void;
}

/** A file that is being made; whoever has it closes it. */
export interface StagedFile {
  readonly fd: number;
  /** Below the temporary folder. */
  readonly name: string;
  /** What need not be said any more of the metadata that it was made for. */
  readonly preset: PresetMeta;
}

/**
 * The new objects of a layer, in a temporary folder, each below it under the path that it will have below `objects/`. So none is
 * made twice, no list is kept, and where there is nothing yet a folder moves with all that is in it: of a first layer with
 * 100,000 files, 256 folders.
 */
export class StagedObjects {
  readonly #place: StagePlace;
  readonly #folders = new Set<string>();
  #unnamed = 0;
  /** What a new file gets that asks for mode 0777. */
  #newFile: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;

  constructor(place: StagePlace) {
    this.#place = place;
  }

  /** A file for content whose digest is not known yet. */
  create(meta: NodeMeta): StagedFile {
    const name = `new-${++this.#unnamed}`;
    return this.#open(name, meta);
  }

  /** The file for an object; undefined where it is made already. */
  createAs(name: string, meta: NodeMeta): StagedFile | undefined {
    this.#makeFolder(name);
    try {
      return this.#open(name, meta);
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return undefined;
      throw error;
    }
  }

  /** Gives a file of {@link StagedObjects.create} the name of its object; removes it where that is made already. */
  name(file: StagedFile, name: string): void {
    this.#makeFolder(name);
    const from = this.#at(file.name);
    try {
      renameNoReplaceAt(from, this.#at(name));
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      unlinkAt(from);
    }
  }

  /** Removes a file that is not needed. */
  drop(file: StagedFile): void {
    unlinkAt(this.#at(file.name));
  }

  /** Whether an object is made. */
  has(name: string): boolean {
    return this.#folders.has(folderOf(name)) && isThere(this.#at(name));
  }

  /** The objects that are made. */
  *[Symbol.iterator](): IterableIterator<string> {
    for (const folder of this.#folders) yield* this.#namesIn(folder);
  }

  /** Moves all to `objects/`. Their content must be durable: a name must never lead to less than the whole. */
  publish(): void {
    for (const folder of this.#folders) {
      if (this.#place.movesFolders === true && this.#moveFolder(folder)) continue;
      for (const name of this.#namesIn(folder)) this.#move(name);
    }
    this.#folders.clear();
  }

  /** Whether it could: only into the place of an empty one. */
  #moveFolder(folder: string): boolean {
    try {
      renameAt(this.#at(folder), { dirFd: this.#place.objectsFd, name: folder });
      return true;
    } catch (error) {
      // EXDEV is overlayfs's answer to the moving of folders.
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EXDEV', 'EPERM')) return false;
      throw error;
    }
  }

  #move(name: string): void {
    const { objectsFd, replace } = this.#place;
    const from = this.#at(name);
    const to = { dirFd: objectsFd, name };
    this.#place.makeWay?.(name);
    if (replace.has(name)) {
      replaceAt(from, to);
      return;
    }
    for (let isRetried = false; ; isRetried = true) {
      try {
        renameNoReplaceAt(from, to);
        return;
      } catch (error) {
        // Somebody else took the same in meanwhile. Ours goes with the temporary folder.
        if (isErrno(error, 'EEXIST')) return;
        // Another berth replaced the folder, empty until then, between the kernel's finding and locking it.
        if (isRetried || !isErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  #namesIn(folder: string): string[] {
    const names = readdirSync(`${this.#place.tempPath}/${folder}`, 'latin1');
    return names.map((name) => `${folder}/${name}`);
  }

  #makeFolder(name: string): void {
    const folder = folderOf(name);
    if (this.#folders.has(folder)) return;
    mkdirAt(this.#at(folder), 0o700);
    this.#folders.add(folder);
  }

  #open(name: string, meta: NodeMeta): StagedFile {
    const born = (this.#newFile ??= this.#tryOut());
    const mode = diskMeta().modeOf('file', meta.mode);
    return {
      fd: openAt(this.#at(name), NEW_FILE, mode & 0o777),
      name,
      preset: {
        owner: born.uid === meta.uid && born.gid === meta.gid,
        mode: (mode & ~born.mode) === 0,
      },
    };
  }

  /** umask, set-group-ID folders, default ACLs and squashing servers have a say in what a new file gets. */
  #tryOut(): { readonly mode: number; readonly uid: number; readonly gid: number } {
    const at = this.#at('new');
    const fd = openAt(at, NEW_FILE, 0o777);
    try {
      const { mode, uid, gid } = fstatSync(fd);
      return { mode: mode & 0o777, uid, gid };
    } finally {
      closeSync(fd);
      unlinkAt(at);
    }
  }

  #at(name: string): { readonly dirFd: number; readonly name: string } {
    return { dirFd: this.#place.tempFd, name };
  }
}

function folderOf(name: string): string {
  return name.slice(0, name.indexOf('/'));
}
