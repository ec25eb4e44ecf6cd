import type { Hash } from 'node:crypto';

import type { FileNode, NodeMeta, Xattr } from '../../layer/tree.js';
import type { ComingFile, ContentTaker } from '../layer-collector.js';

/*
 * What is done to the files of a layer, as it goes to another thread: numbers, one step after the other, each with a number
 * for what it is before those that it takes. Copying such an array costs next to nothing; an object for each file would
 * take as long as making the file.
 */

/** A file that comes whole: its metadata, offset. */
const WHOLE = 0;
/** A file begins: its metadata. */
const BEGIN = 1;
/** More of it: offset, length. */
const MORE = 2;
/** It ends. */
const END = 3;
/** A piece of the archive is hashed: offset, length. */
const HASH = 4;

/** Numbers that a step takes at most, along with its own. */
const STEP_NUMBERS = 9;

/** Steps for which there is room to begin with: those of a piece of an image with small files. */
const FIRST_ROOM = 512 * STEP_NUMBERS;

/** Steps over one piece of memory. */
export interface ObjectBatch {
  /** What offsets count from; it does not change until the answer is there. */
  readonly bytes: SharedArrayBuffer;
  readonly steps: Float64Array;
  /** Extended attributes of the files that have some. */
  readonly xattrs: readonly (readonly Xattr[])[];
}

/** Puts steps together. */
export class ObjectBatchMaker {
  #steps = new Float64Array(FIRST_ROOM);
  #count = 0;
  #xattrs: (readonly Xattr[])[] = [];

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  whole(file: Pick<ComingFile, 'meta' | 'size'>, offset: number): void {
    this.#file(WHOLE, file);
    this.#push(offset);
  }

  begin(file: Pick<ComingFile, 'meta' | 'size'>): void {
    this.#file(BEGIN, file);
  }

  more(offset: number, length: number): void {
    this.#makeRoom();
    this.#push(MORE);
    this.#push(offset);
    this.#push(length);
  }

  end(): void {
    this.#makeRoom();
    this.#push(END);
  }

  /** All steps so far; the next one is the first again. */
  take(bytes: SharedArrayBuffer): ObjectBatch {
    const batch = { bytes, steps: this.#steps.slice(0, this.#count), xattrs: this.#xattrs };
    this.#count = 0;
    this.#xattrs = [];
    return batch;
  }

  hash(offset: number, length: number): void {
    this.#makeRoom();
    this.#push(HASH);
    this.#push(offset);
    this.#push(length);
  }

  #file(step: number, { meta, size }: Pick<ComingFile, 'meta' | 'size'>): void {
    this.#makeRoom();
    this.#push(step);
    this.#push(size);
    this.#push(meta.mode);
    this.#push(meta.uid);
    this.#push(meta.gid);
    this.#push(meta.mtimeSeconds);
    this.#push(meta.mtimeNanoseconds);
    this.#push(meta.xattrs.length === 0 ? -1 : this.#xattrs.push(meta.xattrs) - 1);
  }

  #push(number: number): void {
    this.#steps[this.#count++] = number;
  }

  #makeRoom(): void {
    if (this.#count + STEP_NUMBERS <= this.#steps.length) return;
    const larger = new Float64Array(this.#steps.length * 2);
    larger.set(this.#steps);
    this.#steps = larger;
  }
}

const NO_XATTRS: readonly Xattr[] = [];

/** Who takes what the steps of a batch are about. */
export interface BatchTaker {
  readonly files: Pick<ContentTaker, 'begin' | 'write' | 'end'>;
  /** Of the archive; there if steps were to be hashed. */
  readonly hash?: Hash | undefined;
}

/** Does the steps of a batch; gives the digests of the files that ended in it, in their order. @throws what taking in throws */
export function runBatch(
  { bytes, steps, xattrs }: ObjectBatch,
  { files: taker, hash }: BatchTaker,
): string[] {
  const digests: string[] = [];
  let at = 0;
  const next = (): number => steps[at++] ?? Number.NaN;
  const begin = (): number => {
    const size = next();
    const [mode, uid, gid] = [next(), next(), next()];
    const [mtimeSeconds, mtimeNanoseconds] = [next(), next()];
    const own = xattrs[next()] ?? NO_XATTRS;
    const meta: NodeMeta = { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: own };
    taker.begin({ path: '', meta, size });
    return size;
  };
  const write = (offset: number, length: number): void => {
    taker.write(Buffer.from(bytes, offset, length));
  };
  const end = (): void => {
    const node: FileNode = taker.end();
    digests.push(node.contentSha256);
  };
  while (at < steps.length) {
    const step = next();
    if (step === WHOLE) {
      const size = begin();
      write(next(), size);
      end();
    } else if (step === BEGIN) begin();
    else if (step === MORE) write(next(), next());
    else if (step === END) end();
    else if (step === HASH && hash !== undefined) hash.update(Buffer.from(bytes, next(), next()));
    else throw new Error(`internal error: a step ${step}`);
  }
  return digests;
}
