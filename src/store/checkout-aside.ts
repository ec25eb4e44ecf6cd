import type { FileNode } from '../layer/tree.js';
import type { At } from '../sys/libc.js';
import type { LinksAside } from './file-contents.js';

/** Batches that are under way at most: one that is worked at, and one for the moment until the next is put together. */
const MAX_UNDER_WAY = 2;

/** Directories that stay open for a batch at most: descriptors may be a thousand. */
const MAX_DIRECTORIES = 128;

/** A file that is to be linked; `Frame` says where it stands. */
export interface AsideFile<Frame> {
  readonly node: FileNode;
  readonly at: At;
  readonly frame: Frame;
}

/** Files whose links are added up to be made in another thread, and what waits for them. */
interface Batch<Frame> {
  readonly files: AsideFile<Frame>[];
  readonly after: (() => void)[];
}

/**
 * The part of a checkout that another thread makes: it takes files as long as it has room for them, and leaves the others to the
 * caller. Directories get their times, and are closed, when all is in them.
 */
export class CheckoutAside<Frame> {
  readonly #links: LinksAside;
  readonly #done: (file: AsideFile<Frame>, isMade: boolean) => void;
  #batch: Batch<Frame> = { files: [], after: [] };
  /** The one that was handed over last. */
  #last: Batch<Frame> | undefined;
  #underWay = 0;
  /** Settles, and never rejects, when all that was handed over is done. */
  #working: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  /** Nothing is handed over any more: one could not be linked, and what is the matter the caller finds out. */
  #isOver = false;
  /** Files that were taken up to now. */
  added = 0;

  /** `done` is called for each file that was taken; where it is not made, that is left to do. */
  constructor(links: LinksAside, done: (file: AsideFile<Frame>, isMade: boolean) => void) {
    this.#links = links;
    this.#done = done;
  }

  /** Takes a file; false where the caller is to make it. @throws what went wrong since */
  add(file: AsideFile<Frame>): boolean {
    this.throwIfFailed();
    if (this.#isOver || !this.#tryToAdd(file)) return false;
    this.#batch.files.push(file);
    this.added += 1;
    return true;
  }

  /** Has something done when all files are made that were taken up to now. */
  after(body: () => void): void {
    const batch = this.#batch.files.length > 0 ? this.#batch : this.#last;
    if (batch === undefined) this.#run(body);
    else batch.after.push(body);
  }

  /** Resolves when nothing is under way or waits any more. */
  async settle(): Promise<void> {
    this.#handOver();
    await this.#working;
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #tryToAdd({ node, at }: AsideFile<Frame>): boolean {
    if (this.#batch.after.length < MAX_DIRECTORIES && this.#links.add(node, at)) return true;
    if (this.#underWay >= MAX_UNDER_WAY) return false;
    this.#handOver();
    return this.#links.add(node, at);
  }

  #handOver(): void {
    const batch = this.#batch;
    if (batch.files.length === 0) return;
    this.#batch = { files: [], after: [] };
    this.#last = batch;
    this.#underWay += 1;
    // Answers come in the order of the batches: the last one is the end of all.
    this.#working = this.#links
      .make()
      .then((made) => {
        this.#finish(batch, made);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#underWay -= 1;
        if (this.#last === batch) this.#last = undefined;
        for (const body of batch.after) this.#run(body);
      });
  }

  #finish({ files }: Batch<Frame>, made: number): void {
    if (made < files.length) this.#isOver = true;
    for (const [index, file] of files.entries()) this.#done(file, index < made);
  }

  /** Directories are closed whatever happens. */
  #run(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#failure ??= { error };
    }
  }
}
