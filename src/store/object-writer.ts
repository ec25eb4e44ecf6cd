import type { Hash } from 'node:crypto';
import { closeSync } from 'node:fs';

import type { FileNode, NodeMeta } from '../layer/tree.js';
import { cloneContent, writeFully } from '../sys/copy-content.js';
import { sealFile } from '../sys/fs-verity.js';
import { applyMeta } from './apply-meta.js';
import type { ComingFile, ContentTaker } from './layer-collector.js';
import { StagedObjects, type StagedFile, type StagePlace } from './staged-objects.js';

/** What the objects of a store are called, and after what. */
export interface ObjectNaming {
  /** A hash that waits for the content of a file; what it comes to stands in the place of the content's digest. */
  begin(meta: NodeMeta): Hash;
  /** The same of content that is all there. */
  hash(meta: NodeMeta, content: Uint8Array): string;
  /** What stands for files without content, if they are no objects. */
  readonly ofNothing?: string | undefined;
  /** The path of an object below `objects/`. */
  nameOf(digest: string, meta: NodeMeta): string;
  /** Whether the store has an object. */
  has(name: string): boolean;
}

/** Whether objects are sealed by fs-verity: never, where that can be, or all of them. */
export type Sealing = 'no' | 'maybe' | 'yes';

/** Where an {@link ObjectWriter} writes. */
export interface ObjectPlace extends StagePlace {
  readonly naming: ObjectNaming;
  /** Whether the store has nothing yet: then it is not asked for each object. */
  readonly isFirst?: boolean | undefined;
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
  readonly #staged: StagedObjects;
  #current: CurrentFile | undefined;

  constructor(place: ObjectPlace) {
    this.#place = place;
    this.#staged = new StagedObjects(place);
  }

  begin({ meta, size }: ComingFile): void {
    this.#current = { meta, size, taken: 0, parts: undefined };
  }

  write(chunk: Uint8Array): void {
    const file = this.#file();
    file.taken += chunk.length;
    if (file.parts === undefined && file.taken === file.size) {
      this.#writeWhole(file, chunk);
      return;
    }
    file.parts ??= {
      hash: this.#place.naming.begin(file.meta),
      file: this.#staged.create(file.meta),
    };
    file.parts.hash.update(chunk);
    writeFully(file.parts.file.fd, chunk);
  }

  end(): FileNode {
    const file = this.#file();
    this.#current = undefined;
    if (file.taken !== file.size) throw new Error('internal error: a file of another size');
    const { meta, size, parts } = file;
    const { naming } = this.#place;
    if (size === 0) {
      if (naming.ofNothing === undefined) this.#writeWhole(file, Buffer.alloc(0));
      else file.whole = naming.ofNothing;
    }
    if (file.whole !== undefined) return { kind: 'file', meta, size, contentSha256: file.whole };
    if (parts === undefined) throw new Error('internal error: a file without content');
    const contentSha256 = parts.hash.digest('hex');
    const name = naming.nameOf(contentSha256, meta);
    const isMade = this.#isStored(name) || this.#staged.has(name);
    this.#finishParts(parts.file, isMade ? undefined : name, file);
    return { kind: 'file', meta, size, contentSha256 };
  }

  ready(): undefined {
    return undefined;
  }

  drain(): Promise<void> {
    return Promise.resolve();
  }

  /** Gives all new objects their names. Their content must be durable: a name must never lead to less than the whole. */
  publish(): void {
    this.#seal();
    this.#staged.publish();
  }

  /** Before there are names that lead to them: who can be written to is no object yet. */
  #seal(): void {
    const { sealing = 'no', tempFd } = this.#place;
    if (sealing === 'no') return;
    for (const name of this.#staged) {
      if (!sealFile({ dirFd: tempFd, name }) && sealing === 'maybe') return;
    }
  }

  /** Closes what is open; needed only where a layer was given up. */
  close(): void {
    if (this.#current?.parts !== undefined) closeSync(this.#current.parts.file.fd);
    this.#current = undefined;
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
    if (this.#isStored(name)) return;
    const variant = this.#openVariant(name, file.size);
    try {
      const staged = this.#staged.createAs(name, file.meta);
      if (staged === undefined) return;
      try {
        if (variant === undefined || !cloneContent(variant, staged.fd))
          writeFully(staged.fd, content);
        applyMeta(staged.fd, file.meta, staged.preset);
      } finally {
        closeSync(staged.fd);
      }
    } finally {
      if (variant !== undefined) closeSync(variant);
    }
  }

  /** Makes an object of a file that came in pieces, or nothing: without `name` it is there. */
  #finishParts(written: StagedFile, name: string | undefined, node: CurrentFile): void {
    let shared: StagedFile | undefined;
    try {
      shared = name === undefined ? undefined : this.#share(name, node);
      if (name === undefined || shared !== undefined) this.#staged.drop(written);
      if (name === undefined) return;
      const file = shared ?? written;
      applyMeta(file.fd, node.meta, file.preset);
      this.#staged.name(file, name);
    } finally {
      closeSync(written.fd);
      if (shared !== undefined) closeSync(shared.fd);
    }
  }

  /** A file that shares the blocks of an object with the same content; undefined where there is none. */
  #share(name: string, { meta, size }: Pick<FileNode, 'meta' | 'size'>): StagedFile | undefined {
    const from = this.#openVariant(name, size);
    if (from === undefined) return undefined;
    try {
      const file = this.#staged.create(meta);
      if (cloneContent(from, file.fd)) return file;
      closeSync(file.fd);
      return undefined;
    } finally {
      closeSync(from);
    }
  }

  #openVariant(name: string, size: number): number | undefined {
    return this.#place.isFirst === true ? undefined : this.#place.openVariant?.(name, size);
  }

  #isStored(name: string): boolean {
    const { replace, isFirst, naming } = this.#place;
    return isFirst !== true && !replace.has(name) && naming.has(name);
  }
}

/** The file whose content is arriving. */
interface CurrentFile {
  readonly meta: NodeMeta;
  readonly size: number;
  taken: number;
  /** Content hash, if it came in one piece. */
  whole?: string;
  /** Where it is being written, if it comes in several. */
  parts: { readonly file: StagedFile; readonly hash: Hash } | undefined;
}
