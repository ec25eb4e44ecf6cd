import type { ArchiveHash } from '../../layer/layer-sink.js';
import type { FileNode, NodeMeta } from '../../layer/tree.js';
import type { DigestAlgorithm } from '../../oci/digest.js';
import type { ComingFile, ContentTaker } from '../layer-collector.js';
import { ObjectBatchMaker } from './object-batch.js';
import { EMPTY_SHA256 } from './object-naming.js';
import type { ObjectThread, ThreadPlace } from './object-thread.js';

/** Memory for content that is not lent, or not in memory that threads share. */
const COPY_BYTES = 512 * 1024;

/** More content than this does not wait for the other thread, in bytes: whoever lends it has its own limit. */
const MAX_COPIED_BYTES = 8 * COPY_BYTES;

/**
 * Takes in the content of files and has another thread make objects of it, by the piece of memory: the main thread takes the
 * archive apart meanwhile, and inflating does not wait for files to be made.
 */
export class ThreadedObjects implements ContentTaker {
  readonly #thread: ObjectThread;
  readonly #layer: number;
  readonly #batch = new ObjectBatchMaker();
  /** The memory that the steps of the batch are over. */
  #bytes: SharedArrayBuffer | undefined;
  #copy: { readonly bytes: SharedArrayBuffer; filled: number } | undefined;
  readonly #freeCopies: SharedArrayBuffer[] = [];
  #copiedBytes = 0;
  #current: ComingNode | undefined;
  /** Files that ended in the batch, or in those before that are under way. */
  #ended: ComingNode['node'][] = [];
  /** Settles, and never rejects, when the last batch that was handed over is answered; undefined when all are. */
  #working: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(thread: ObjectThread, place: ThreadPlace) {
    this.#thread = thread;
    this.#layer = thread.newLayer();
    this.#await(thread.ask({ what: 'open', layer: this.#layer, place }));
  }

  /** As {@link LayerSink.hashAside}: pieces go to the other thread with the files in them, and cost no waking of their own. */
  readonly hashAside = (algorithm: DigestAlgorithm): ArchiveHash => {
    this.#await(this.#thread.ask({ what: 'hash', layer: this.#layer, algorithm }));
    return {
      add: (piece) => {
        if (!(piece.buffer instanceof SharedArrayBuffer)) {
          throw new Error('internal error: a piece that is not shared is to be hashed aside');
        }
        this.#startOn(piece.buffer);
        this.#batch.hash(piece.byteOffset, piece.length);
      },
      settle: () => undefined,
      digest: async () => {
        await this.drain();
        const { digests } = await this.#thread.ask({ what: 'hashed', layer: this.#layer });
        return digests[0] ?? '';
      },
      [Symbol.dispose]: () => undefined,
    };
  };

  begin({ meta, size }: ComingFile): void {
    const node = { kind: 'file' as const, meta, size, contentSha256: '' };
    this.#current = { node, taken: 0, isBegun: false };
  }

  write(chunk: Uint8Array, isLent = false): void {
    if (isLent && chunk.buffer instanceof SharedArrayBuffer) {
      this.#add(chunk.buffer, chunk.byteOffset, chunk.length);
      return;
    }
    for (let done = 0; done < chunk.length;) {
      const copy = this.#roomForCopy();
      const part = chunk.subarray(done, done + COPY_BYTES - copy.filled);
      new Uint8Array(copy.bytes).set(part, copy.filled);
      this.#add(copy.bytes, copy.filled, part.length);
      copy.filled += part.length;
      done += part.length;
    }
  }

  end(): FileNode {
    const { node, taken } = this.#coming();
    this.#current = undefined;
    if (taken !== node.size) throw new Error('internal error: a file of another size');
    if (node.size === 0) node.contentSha256 = EMPTY_SHA256;
    return node;
  }

  borrowed(): Promise<void> | undefined {
    this.#handOver();
    return this.#working;
  }

  ready(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#copiedBytes > MAX_COPIED_BYTES ? this.#working : undefined;
  }

  async drain(): Promise<void> {
    this.#handOver();
    await this.#working;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** As {@link ObjectWriter.publish}. */
  async publish(): Promise<void> {
    await this.#thread.ask({ what: 'publish', layer: this.#layer });
  }

  /** Waits until the other thread has done with it. */
  async close(): Promise<void> {
    await this.#working;
    await this.#thread.ask({ what: 'close', layer: this.#layer }).catch(() => undefined); // a thread that has ended holds nothing
  }

  #add(bytes: SharedArrayBuffer, offset: number, length: number): void {
    this.#startOn(bytes);
    const current = this.#coming();
    current.taken += length;
    const isWhole = !current.isBegun && length === current.node.size;
    if (isWhole) this.#batch.whole(current.node, offset);
    else {
      if (!current.isBegun) this.#batch.begin(current.node);
      current.isBegun = true;
      this.#batch.more(offset, length);
    }
    if (current.taken < current.node.size) return;
    if (!isWhole) this.#batch.end();
    this.#ended.push(current.node);
  }

  /** Steps are over `bytes` from now on. */
  #startOn(bytes: SharedArrayBuffer): void {
    if (bytes !== this.#bytes) this.#handOver();
    this.#bytes = bytes;
  }

  #roomForCopy(): { readonly bytes: SharedArrayBuffer; filled: number } {
    if (this.#copy?.filled === COPY_BYTES) this.#handOver();
    this.#copy ??= {
      bytes: this.#freeCopies.pop() ?? new SharedArrayBuffer(COPY_BYTES),
      filled: 0,
    };
    return this.#copy;
  }

  #handOver(): void {
    const bytes = this.#bytes;
    if (bytes === undefined || this.#batch.isEmpty) return;
    const copy = this.#copy?.bytes === bytes ? this.#copy.bytes : undefined;
    if (copy !== undefined) {
      this.#copy = undefined;
      this.#copiedBytes += COPY_BYTES;
    }
    const nodes = this.#ended;
    this.#ended = [];
    this.#bytes = undefined;
    const batch = this.#batch.take(bytes);
    const answer = this.#thread.ask({ what: 'batch', layer: this.#layer, batch });
    this.#await(
      answer
        .then(({ digests }) => {
          if (digests.length !== nodes.length) throw new Error('internal error: lost a digest');
          for (const [index, digest] of digests.entries()) {
            const node = nodes[index];
            if (node !== undefined) node.contentSha256 = digest;
          }
        })
        .finally(() => {
          if (copy === undefined) return;
          this.#freeCopies.push(copy);
          this.#copiedBytes -= COPY_BYTES;
        }),
    );
  }

  /** Answers come in the order of the questions: the last one is the end of all. */
  #await(answer: Promise<unknown>): void {
    const working = answer
      .then(
        () => undefined,
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .then(() => {
        if (this.#working === working) this.#working = undefined;
      });
    this.#working = working;
  }

  #coming(): ComingNode {
    if (this.#current === undefined) throw new Error('internal error: content without a file');
    return this.#current;
  }
}

/** The file whose content is arriving. */
interface ComingNode {
  readonly node: {
    readonly kind: 'file';
    readonly meta: NodeMeta;
    readonly size: number;
    contentSha256: string;
  };
  taken: number;
  /** Whether some of it was handed over, or is to be, before it was all there. */
  isBegun: boolean;
}
