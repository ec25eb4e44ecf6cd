import type { Hash } from 'node:crypto';
import { closeSync, constants } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import type { FileNode, NodeMeta } from '../layer/tree.js';
import { openAt, unlinkAt } from '../sys/at.js';
import { cloneContent, writeFully } from '../sys/copy-content.js';
import { sealFile } from '../sys/fs-verity.js';
import { renameNoReplaceAt } from '../sys/rename.js';
import type { ContentHash } from '../oci/verify-content.js';
import { applyMeta } from './apply-meta.js';
import type { ComingFile, ContentTaker } from './layer-collector.js';
import { LentFile, type LentFileKeeper, type TempFile } from './lent-file.js';
import { PendingObjects } from './pending-objects.js';
import { replaceAt } from './replace-at.js';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** Smaller files are hashed and written here: handing them to other threads takes as long. */
const MIN_LENT_BYTES = 64 * 1024;

/** What the objects of a store are called, and after what. */
export interface ObjectNaming {
  /** A hash that waits for the content of a file; what it comes to stands in the place of the content's digest. */
  begin(meta: NodeMeta): Hash;
  /** The same, taken on another thread; where there is none, all content is hashed in this one. */
  beginAside?(meta: NodeMeta): ContentHash;
  /** The same of content that is all there. */
  hash(meta: NodeMeta, content: Uint8Array): string;
  /** What stands for files without content, if they are no objects. */
  readonly ofNothing?: string | undefined;
  /** The path of an object below `objects/`. */
  nameOf(digest: string, meta: NodeMeta): string;
  /** Whether the store has an object. */
  has(name: string): boolean;
  /** Makes what an object's path leads through, if it is not there. */
  makeWay?(name: string): void;
}

/** Whether objects are sealed by fs-verity: never, where that can be, or all of them. */
export type Sealing = 'no' | 'maybe' | 'yes';

/** Where an {@link ObjectWriter} writes. */
export interface ObjectPlace {
  readonly naming: ObjectNaming;
  /** `objects/`. */
  readonly objectsFd: number;
  /** A temporary folder of the same file system. */
  readonly tempFd: number;
  /** Objects that are there and damaged: written again, and put in their places. */
  readonly replace: ReadonlySet<string>;
  /**
   * Opens an object with the same content as one of so many bytes that is to be written, and other metadata, for the caller to
   * close; undefined where there is none, or the file system cannot share blocks.
   */
  readonly openVariant?: ((name: string, size: number) => number | undefined) | undefined;
  /** With `yes` whoever asks has made sure that it can be. Default `no`. */
  readonly sealing?: Sealing | undefined;
}

/**
 * Takes in the content of files and makes objects of it: each hashed while it is written under a temporary name, with
 * owner, mode, time and attributes; published later, all at once. What the store has already is not written again.
 */
export class ObjectWriter implements ContentTaker {
  readonly #place: ObjectPlace;
  readonly #pending: PendingObjects;
  readonly #keeper: LentFileKeeper;
  /** Files that other threads are still at. */
  readonly #finishing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #current: CurrentFile | undefined;
  #files = 0;

  constructor(place: ObjectPlace) {
    this.#place = place;
    const { naming, tempFd } = place;
    this.#pending = new PendingObjects((digest, meta) => naming.nameOf(digest, meta));
    this.#keeper = {
      missing: (contentSha256, meta) => {
        const name = naming.nameOf(contentSha256, meta);
        return this.#isKnown(name, contentSha256, meta) ? undefined : name;
      },
      create: () => this.#createTemp(),
      share: (name, size) => this.#share(name, size),
      keep: ({ contentSha256, meta }, temporary) => {
        this.#pending.add(contentSha256, meta, temporary);
      },
      drop: (temporary) => {
        unlinkAt({ dirFd: tempFd, name: temporaryName(temporary) });
      },
    };
  }

  begin({ meta, size }: ComingFile): void {
    this.#current = { meta, size, taken: 0, parts: undefined };
  }

  write(chunk: Uint8Array, isLent = false): void {
    const file = this.#file();
    file.taken += chunk.length;
    if (isLent && file.size >= MIN_LENT_BYTES && file.taken === chunk.length) this.#lend(file);
    if (file.lent !== undefined) {
      file.lent.write(chunk);
      return;
    }
    if (file.parts === undefined && file.taken === file.size) {
      this.#writeWhole(file, chunk);
      return;
    }
    file.parts ??= { hash: this.#place.naming.begin(file.meta), ...this.#createTemp() };
    file.parts.hash.update(chunk);
    writeFully(file.parts.fd, chunk);
  }

  end(): FileNode {
    const file = this.#file();
    this.#current = undefined;
    if (file.taken !== file.size) throw new Error('internal error: a file of another size');
    const { meta, size, parts, lent } = file;
    if (lent !== undefined) {
      this.#finish(lent);
      return lent.node;
    }
    const { naming } = this.#place;
    if (size === 0) {
      if (naming.ofNothing === undefined) this.#writeWhole(file, Buffer.alloc(0));
      else file.whole = naming.ofNothing;
    }
    if (file.whole !== undefined) return { kind: 'file', meta, size, contentSha256: file.whole };
    if (parts === undefined) throw new Error('internal error: a file without content');
    const contentSha256 = parts.hash.digest('hex');
    const name = naming.nameOf(contentSha256, meta);
    try {
      const isKnown = this.#isKnown(name, contentSha256, meta);
      const shared = isKnown ? undefined : this.#share(name, size);
      if (isKnown || shared !== undefined) {
        unlinkAt({ dirFd: this.#place.tempFd, name: temporaryName(parts.number) });
      }
      if (!isKnown) this.#keep(contentSha256, shared ?? parts, meta);
      if (shared !== undefined) closeSync(shared.fd);
    } finally {
      closeSync(parts.fd);
    }
    return { kind: 'file', meta, size, contentSha256 };
  }

  borrowed(): Promise<void> | undefined {
    const current = this.#current?.lent?.settle();
    if (current === undefined && this.#finishing.size === 0) return undefined;
    return Promise.all([...this.#finishing, current]).then(() => undefined);
  }

  ready(): undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async drain(): Promise<void> {
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
    this.ready();
  }

  /** Gives all new objects their names. Their content must be durable: a name must never lead to less than the whole. */
  publish(): void {
    const { objectsFd, tempFd, replace, naming } = this.#place;
    this.#seal();
    for (const [name, temporary] of this.#pending) {
      const from = { dirFd: tempFd, name: temporaryName(temporary) };
      const to = { dirFd: objectsFd, name };
      naming.makeWay?.(name);
      if (replace.has(name)) {
        replaceAt(from, to);
        continue;
      }
      try {
        renameNoReplaceAt(from, to);
      } catch (error) {
        // Somebody else took the same in meanwhile. Ours goes with the temporary folder.
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
    this.#pending.clear();
  }

  /** Before there are names that lead to them: who can be written to is no object yet. */
  #seal(): void {
    const { sealing = 'no', tempFd } = this.#place;
    if (sealing === 'no') return;
    for (const [, temporary] of this.#pending) {
      const name = temporaryName(temporary);
      if (!sealFile({ dirFd: tempFd, name }) && sealing === 'maybe') return;
    }
  }

  /** Closes what is open; needed only where a layer was given up. */
  async close(): Promise<void> {
    if (this.#current?.parts !== undefined) closeSync(this.#current.parts.fd);
    await this.#current?.lent?.abandon();
    this.#current = undefined;
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
  }

  #lend(file: CurrentFile): void {
    const hash = this.#place.naming.beginAside?.(file.meta);
    if (hash !== undefined) file.lent = new LentFile(file, hash, this.#keeper);
  }

  #finish(lent: LentFile): void {
    const finishing = lent
      .finish()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
  }

  #file(): CurrentFile {
    if (this.#current === undefined) throw new Error('internal error: content without a file');
    return this.#current;
  }

  /** Most files come in one piece: hashed before anything is written, they often need not be. */
  #writeWhole(file: CurrentFile, content: Uint8Array): void {
    const { naming } = this.#place;
    const contentSha256 = naming.hash(file.meta, content);
    file.whole = contentSha256;
    const name = naming.nameOf(contentSha256, file.meta);
    if (this.#isKnown(name, contentSha256, file.meta)) return;
    const shared = this.#share(name, content.length);
    const temp = shared ?? this.#createTemp();
    try {
      if (shared === undefined) writeFully(temp.fd, content);
      this.#keep(contentSha256, temp, file.meta);
    } finally {
      closeSync(temp.fd);
    }
  }

  /** A file that shares the blocks of an object with the same content; undefined where there is none. */
  #share(name: string, size: number): TempFile | undefined {
    const from = this.#place.openVariant?.(name, size);
    if (from === undefined) return undefined;
    try {
      const temp = this.#createTemp();
      if (cloneContent(from, temp.fd)) return temp;
      closeSync(temp.fd);
      return undefined;
    } finally {
      closeSync(from);
    }
  }

  #keep(digest: string, temp: TempFile, meta: NodeMeta): void {
    applyMeta(temp.fd, meta);
    this.#pending.add(digest, meta, temp.number);
  }

  #isKnown(name: string, digest: string, meta: NodeMeta): boolean {
    if (this.#pending.has(name, digest, meta)) return true;
    return !this.#place.replace.has(name) && this.#place.naming.has(name);
  }

  #createTemp(): TempFile {
    const number = ++this.#files;
    const at = { dirFd: this.#place.tempFd, name: temporaryName(number) };
    return { number, fd: openAt(at, NEW_FILE, 0o600) };
  }
}

function temporaryName(number: number): string {
  return number.toString(36);
}

/** The file whose content is arriving. */
interface CurrentFile {
  readonly meta: NodeMeta;
  readonly size: number;
  taken: number;
  /** Content hash, if it came in one piece. */
  whole?: string;
  /** Who takes it, if its content is lent. */
  lent?: LentFile;
  /** Where it is being written, if it comes in several. */
  parts: (TempFile & { readonly hash: Hash }) | undefined;
}
