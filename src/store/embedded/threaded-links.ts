import type { FileNode } from '../../layer/tree.js';
import { writeName, type At } from '../../sys/libc.js';
import type { LinksAside } from '../file-contents.js';
import { LINK_NUMBERS } from './link-batch.js';
import { MAX_OBJECT_NAME_BYTES, writeObjectName } from './object-name.js';
import type { ObjectThread } from './object-thread.js';

/** Two milliseconds of work, beside which handing over is nothing. */
const LINKS_AT_ONCE = 512;

/** Room for that many names of the usual length; a batch with longer ones ends earlier. */
const BYTES_AT_ONCE = LINKS_AT_ONCE * 160;

/** NAME_MAX: no file system takes longer names. */
const MAX_NAME_BYTES = 255;

/** Links of objects that the thread for objects makes. */
export class ThreadedLinks implements LinksAside {
  readonly #thread: ObjectThread;
  readonly #objectsFd: number;
  readonly #steps = new Float64Array(LINKS_AT_ONCE * LINK_NUMBERS);
  #numbers = 0;
  #bytes: Buffer | undefined;
  #length = 0;
  readonly #free: Buffer[] = [];

  constructor(thread: ObjectThread, objectsFd: number) {
    this.#thread = thread;
    this.#objectsFd = objectsFd;
  }

  add(node: FileNode, { dirFd, name }: At): boolean {
    const bytes = (this.#bytes ??=
      this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(BYTES_AT_ONCE)));
    const nameAt = this.#length + MAX_OBJECT_NAME_BYTES;
    const isFull = this.#numbers === this.#steps.length || nameAt + MAX_NAME_BYTES >= bytes.length;
    if (isFull || name.length > MAX_NAME_BYTES) return false;
    const steps = this.#steps;
    steps[this.#numbers++] = dirFd;
    steps[this.#numbers++] = this.#length;
    const end = writeObjectName(bytes, this.#length, node);
    steps[this.#numbers++] = end;
    this.#length = writeName(bytes, end, name);
    return true;
  }

  async make(): Promise<number> {
    const bytes = this.#bytes;
    if (bytes === undefined) return 0;
    const steps = this.#steps.slice(0, this.#numbers);
    this.#bytes = undefined;
    this.#numbers = 0;
    this.#length = 0;
    const shared = bytes.buffer as unknown as SharedArrayBuffer;
    const batch = { objectsFd: this.#objectsFd, bytes: shared, steps };
    const { links } = await this.#thread.ask({ what: 'link', batch });
    this.#free.push(bytes);
    return links;
  }
}
