import { closeSync, write } from 'node:fs';
import { promisify } from 'node:util';

import type { FileNode, NodeMeta } from '../layer/tree.js';
import type { ContentHash } from '../oci/verify-content.js';
import { applyMeta } from './apply-meta.js';
import type { StagedFile } from './staged-objects.js';

const writeInPool = promisify(write);

/** What a {@link LentFile} asks of who keeps objects. */
export interface LentFileKeeper {
  /** The name of the object, where it has to be written; undefined where it is there. */
  missing(contentSha256: string, meta: NodeMeta): string | undefined;
  create(meta: NodeMeta): StagedFile;
  /** The file of an object; undefined where it is made already. */
  createAs(name: string, meta: NodeMeta): StagedFile | undefined;
  /** A file with the content of an object that is there with other metadata; undefined where there is none to share blocks with. */
  share(name: string, node: Pick<FileNode, 'meta' | 'size'>): StagedFile | undefined;
  /** Takes over what was written for the object of that name. */
  keep(name: string, file: StagedFile): void;
  drop(file: StagedFile): void;
}

/**
 * A large file whose content is hashed and written by other threads, out of memory that stays as it is meanwhile: of the bytes
 * of a distribution three quarters are in such files, and hashing and writing them is half of what taking a layer in costs.
 */
export class LentFile {
  /** Its digest is there when {@link LentFile.finish} is over. */
  readonly node: Omit<FileNode, 'contentSha256'> & { contentSha256: string };
  readonly #keeper: LentFileKeeper;
  readonly #hash: ContentHash;
  #hashing: Promise<void> | undefined;
  #temp: StagedFile | undefined;
  /** Under way; each goes when it is over. */
  readonly #writing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #position = 0;
  /** The content, where it came in one piece: written only if it turns out to be needed. */
  #whole: Uint8Array | undefined;

  constructor(
    file: { readonly meta: NodeMeta; readonly size: number },
    hash: ContentHash,
    keeper: LentFileKeeper,
  ) {
    this.node = { kind: 'file', meta: file.meta, size: file.size, contentSha256: '' };
    this.#hash = hash;
    this.#keeper = keeper;
  }

  /** Takes a piece, which must not change before a later {@link LentFile.settle} or {@link LentFile.finish} is over. */
  write(piece: Uint8Array): void {
    this.#hashing =
      this.#hashing === undefined
        ? this.#hash.update(piece)
        : this.#hashing.then(() => this.#hash.update(piece));
    this.#hashing?.catch(() => undefined); // looked at in finish
    if (piece.length === this.node.size) {
      this.#whole = piece;
      return;
    }
    this.#temp ??= this.#keeper.create(this.node.meta);
    this.#write(this.#temp, piece);
  }

  /** Resolves when no piece is looked at any more that was taken before. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#hashing, ...this.#writing]);
  }

  /** Makes it an object, once all of it is written. @throws what writing threw */
  async finish(): Promise<void> {
    try {
      await this.#hashing;
      this.node.contentSha256 = this.#hash.digest();
      const name = this.#keeper.missing(this.node.contentSha256, this.node.meta);
      const shared = name === undefined ? undefined : this.#keeper.share(name, this.node);
      if (shared !== undefined) await this.#giveUpFor(shared);
      else if (this.#whole !== undefined && name !== undefined) {
        this.#temp = this.#keeper.createAs(name, this.node.meta);
        if (this.#temp !== undefined) this.#write(this.#temp, this.#whole);
      }
      await this.settle();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#temp === undefined) return;
      if (name === undefined) this.#keeper.drop(this.#temp);
      else {
        applyMeta(this.#temp.fd, this.node.meta, this.#temp.preset);
        this.#keeper.keep(name, this.#temp);
      }
    } finally {
      await this.abandon();
    }
  }

  /** Gives back what it holds; what was written stays under its temporary name. */
  async abandon(): Promise<void> {
    // A descriptor that is closed under a write may be another file's by then.
    await this.settle();
    this.#hash[Symbol.dispose]();
    if (this.#temp !== undefined) closeSync(this.#temp.fd);
    this.#temp = undefined;
  }

  /** Puts a file that has the content into the place of what was written before its digest was known. */
  async #giveUpFor(shared: StagedFile): Promise<void> {
    const written = this.#temp;
    this.#temp = shared;
    if (written === undefined) return;
    await Promise.allSettled(this.#writing);
    closeSync(written.fd);
    this.#keeper.drop(written);
  }

  #write({ fd }: StagedFile, piece: Uint8Array): void {
    const writing = writeFullyInPool(fd, piece, this.#position)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#writing.delete(writing));
    this.#position += piece.length;
    this.#writing.add(writing);
  }
}

async function writeFullyInPool(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await writeInPool(
      fd,
      bytes,
      done,
      bytes.length - done,
      position + done,
    );
    done += bytesWritten;
  }
}
