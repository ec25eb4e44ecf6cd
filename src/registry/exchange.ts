import type { Readable } from 'node:stream';

import type { BodyLender } from './body-lender.js';
import { errorsOfUndici, type Dispatcher } from './undici.js';

/** Most of a body that is read only to keep its connection, in bytes; above it a new connection is cheaper. */
const MAX_DISCARDED_BYTES = 64 * 1024;

/** Bytes of a body that wait for whoever reads it, before the socket is left alone. */
const MAX_QUEUED_BYTES = 256 * 1024;

type Controller = Dispatcher.DispatchController;
type RawHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The beginning of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: RawHeaders;
}

/**
 * One request and its answer, as undici tells of them: what undici's own `request` is, without the stream of Node's that it puts
 * between the socket and its reader. Of all that is done to a piece of a body, only hashing it would cost more.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Settled once the headers are there, or with what went wrong before. */
  readonly head: Promise<AnswerHead>;
  readonly #signal: AbortSignal;
  readonly #sent: Readable | undefined;
  readonly #lender: BodyLender | undefined;
  readonly #idleMs: number;
  readonly #onAbort = (): void => {
    this.#giveUp(this.#signal.reason);
  };
  #settleHead: { resolve(head: AnswerHead): void; reject(reason: unknown): void } | undefined;
  #controller: Controller | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isOver = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly signal: AbortSignal;
    /** A body that is sent; stopped when the exchange fails. */
    readonly sent?: Readable | undefined;
    /** Takes the body over where it can. */
    readonly lender?: BodyLender | undefined;
    /** How long a body may stop where there is a lender: undici does not look at it then. */
    readonly idleMs: number;
  }) {
    this.#signal = options.signal;
    this.#sent = options.sent;
    this.#lender = options.lender;
    this.#idleMs = options.idleMs;
    this.head = new Promise((resolve, reject) => {
      this.#settleHead = { resolve, reject };
    });
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(asError(this.#failure.reason));
  }

  onResponseStart(_controller: Controller, status: number, headers: RawHeaders): void {
    if (status < 200) return; // RFC 9110, section 15.2: the answer itself is still to come
    this.#lender?.begin(status, headers);
    this.#settleHead?.resolve({ status, headers });
  }

  onResponseData(controller: Controller, piece: Buffer): void {
    this.#lender?.skip(piece.length);
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    // A body that is lent waits elsewhere; what came of it with the headers is all that comes here.
    const isLent = this.#lender?.hasBegun === true;
    if (this.#queuedBytes >= MAX_QUEUED_BYTES && !isLent) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#fail(error);
  }

  /** The pieces of the body as they come from the socket. Once only. Leaving early closes the connection. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const pieces = this.#queue;
        this.#queue = [];
        this.#queuedBytes = 0;
        if (this.#controller?.paused === true) this.#controller.resume();
        for (const piece of pieces) yield piece;
        if (this.#queue.length > 0) continue;
        if (this.#lender?.hasBegun === true) {
          yield* this.#lender.pieces();
          return;
        }
        if (this.#failure !== undefined) throw this.#failure.reason;
        if (this.#isOver) return;
        await this.#wait();
      }
    } finally {
      this.#giveUp(new Error('the answer was given up'));
    }
  }

  /** Reads a little of what is left, so that the connection can serve again, and closes it if there is more. */
  async discard(): Promise<void> {
    let left = MAX_DISCARDED_BYTES;
    try {
      for await (const piece of this.pieces()) {
        left -= piece.length;
        if (left < 0) return;
      }
    } catch {
      // A body that nobody wants may end as it likes.
    }
  }

  async #wait(): Promise<void> {
    const timer =
      this.#lender === undefined
        ? undefined
        : setTimeout(() => {
            this.#giveUp(new errorsOfUndici.BodyTimeoutError());
          }, this.#idleMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  #end(): void {
    this.#isOver = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#wake?.();
  }

  #fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#failure = { reason };
    this.#settleHead?.reject(reason);
    this.#lender?.fail(reason);
    this.#sent?.on('error', () => undefined).destroy(asError(reason));
    this.#end();
  }

  /** Also before there is a connection: a request that still waits for one is stopped when it gets it. */
  #giveUp(reason: unknown): void {
    if (this.#isOver) return;
    this.#fail(reason);
    this.#controller?.abort(asError(reason));
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
