import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { beginThread } from '../../base/engine-flags.js';
import { ownThread } from '../../base/own-files.js';
import { OperationalError, type OperationalErrorOptions } from '../../errors/operational-error.js';
import type { ErrorCode } from '../../errors/catalogue.js';
import { isErrno } from '../../errors/is-errno.js';
import type { DigestAlgorithm } from '../../oci/digest.js';
import type { LinkBatch } from './link-batch.js';
import type { ObjectBatch } from './object-batch.js';

/** Blobs of layers that are smaller are not worth a thread, which takes 20 ms of processor and 10 MB to begin. */
const MIN_BLOB_BYTES = 8 * 1024 * 1024;

/** Node's name for a thread that did not begin. */
const NOT_STARTED = 'ERR_WORKER_INIT_FAILED';

/** Where the objects of a layer are made, for `createObjectWriter` in the other thread: descriptors are those of the process. */
export interface ThreadPlace {
  readonly objectsFd: number;
  readonly objectsPath: string;
  readonly tempFd: number;
  readonly tempPath: string;
  readonly isFirst: boolean;
  readonly replace: ReadonlySet<string>;
}

/** What the thread is asked for, mostly for one layer. */
export type ThreadRequest =
  | { readonly what: 'open'; readonly layer: number; readonly place: ThreadPlace }
  | { readonly what: 'batch'; readonly layer: number; readonly batch: ObjectBatch }
  | { readonly what: 'hash'; readonly layer: number; readonly algorithm: DigestAlgorithm }
  | { readonly what: 'hashed' | 'publish' | 'close'; readonly layer: number }
  | { readonly what: 'link'; readonly batch: LinkBatch };

/** What was done. */
export interface ThreadResult {
  /** Of the files that ended in a batch, or of the archive that was hashed. */
  readonly digests: readonly string[];
  /** How many links were made. */
  readonly links: number;
}

/** What the thread answers to each, in the order in which it was asked. */
export interface ThreadAnswer extends ThreadResult {
  readonly failure?: ThrownThere | undefined;
}

/** An error that another thread threw, as plain data: on the way its class would be lost, and with it what it says. */
export interface ThrownThere {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of system errors; of {@link OperationalError}s, `operational` is set. */
  readonly code: string | undefined;
  readonly syscall: string | undefined;
  readonly hint: string | undefined;
  readonly isOperational: boolean;
  readonly cause: ThrownThere | undefined;
}

interface Waiting {
  readonly resolve: (result: ThreadResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The thread that makes the objects of large layers, one for the process, begun when it is first needed. It lives on for the
 * next layer, and does not keep the process alive.
 */
export class ObjectThread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #end: { readonly error: Error } | undefined;
  #layers = 0;

  constructor(file: string) {
    this.#worker = new Worker(file, {
      // What it allocates is short-lived: the same as the engine's flags are for the main thread in a long pull.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
      execArgv: [],
      // Descriptors are opened by koffi, and closed by Node.
      trackUnmanagedFds: false,
    });
    const hasBegun = beginThread();
    this.#worker.on('message', (answer: ThreadAnswer) => {
      hasBegun();
      const waiting = this.#waiting.shift();
      if (this.#waiting.length === 0) this.#worker.unref();
      if (answer.failure === undefined) waiting?.resolve(answer);
      else waiting?.reject(rebuildThrown(answer.failure));
    });
    this.#worker.on('error', (error) => {
      this.#fail(startFailure(error) ?? error);
    });
    this.#worker.on('exit', (status) => {
      hasBegun();
      this.#fail(new Error(`internal error: the thread for objects ended with ${status}`));
    });
    this.#worker.unref();
  }

  /** A number for a layer, to ask with. */
  newLayer(): number {
    return ++this.#layers;
  }

  /** @throws what was thrown there; why it has ended, if it has: nobody would answer */
  ask(request: ThreadRequest): Promise<ThreadResult> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(this.#end.error);
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #fail(error: Error): void {
    if (thread === this) thread = undefined;
    this.#end ??= { error };
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}

/** What the kernel refused a thread that was to begin, which Node tells in words alone; undefined for other errors. */
function startFailure(error: Error): NodeJS.ErrnoException | undefined {
  if (!isErrno(error, NOT_STARTED)) return undefined;
  const code = /: (E[A-Z]+)$/.exec(error.message)?.[1];
  if (code === undefined) return undefined;
  return Object.assign(new Error(error.message), { code, syscall: 'starting a thread' });
}

let thread: ObjectThread | undefined;

/** The thread for a layer whose blob has so many bytes; undefined where it gains nothing, or the host allows no further one. */
export function findObjectThread(blobBytes: number): ObjectThread | undefined {
  if (blobBytes < MIN_BLOB_BYTES || availableParallelism() < 2) return undefined;
  try {
    thread ??= new ObjectThread(ownThread('store/embedded/object-thread-main'));
  } catch (error) {
    // A limit of processes (TasksMax=, ulimit -u) counts threads; a layer is made without one as well.
    if (!isErrno(error, NOT_STARTED)) throw error;
  }
  return thread;
}

/** The thread, if it was begun: to begin it for anything but a layer gains nothing. */
export function runningObjectThread(): ObjectThread | undefined {
  return thread;
}

/** What was thrown, for {@link rebuildThrown} in another thread. */
export function describeThrown(thrown: unknown): ThrownThere {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, syscall } = error as NodeJS.ErrnoException;
  return {
    message: error.message,
    stack: error.stack,
    code,
    syscall,
    hint: error instanceof OperationalError ? error.hint : undefined,
    isOperational: error instanceof OperationalError,
    cause: error.cause === undefined ? undefined : describeThrown(error.cause),
  };
}

/** The error again. */
export function rebuildThrown(thrown: ThrownThere): Error {
  const cause = thrown.cause === undefined ? undefined : rebuildThrown(thrown.cause);
  if (thrown.isOperational) {
    const options: OperationalErrorOptions = { hint: thrown.hint, cause };
    return new OperationalError(thrown.code as ErrorCode, thrown.message, options);
  }
  const error: NodeJS.ErrnoException = new Error(thrown.message, cause && { cause });
  if (thrown.stack !== undefined) error.stack = thrown.stack;
  if (thrown.code !== undefined) error.code = thrown.code;
  if (thrown.syscall !== undefined) error.syscall = thrown.syscall;
  return error;
}
