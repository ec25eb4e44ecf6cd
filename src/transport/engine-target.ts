import { PassThrough } from 'node:stream';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ArchiveTarget } from './archive-output.js';
import { callEngine } from './docker-engine.js';

/** Most of the engine's report on loading that is looked at, in bytes. */
const MAX_REPORT_BYTES = 1024 * 1024;

/** Which engine is to load it. */
export interface EngineLoad {
  readonly socket: string;
  /** For messages: `cannot load 'etcd:1'`. */
  readonly doing: string;
  readonly signal: AbortSignal;
}

/** Hands an archive to the docker engine while it is written (`docker load`). */
export class EngineTarget implements ArchiveTarget {
  readonly place: string;
  readonly #body = new PassThrough({ highWaterMark: 1024 * 1024 });
  readonly #call: EngineLoad;
  #answer: Promise<string> | undefined;
  #failure: unknown;

  constructor(place: string, call: EngineLoad) {
    this.place = place;
    this.#call = call;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#answer ??= this.#begin();
    this.#throwIfFailed();
    if (this.#body.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#body.off('drain', done).off('close', done);
        resolve();
      };
      this.#body.on('drain', done).on('close', done);
    });
    this.#throwIfFailed();
  }

  async finish(): Promise<void> {
    this.#body.end();
    // Loading may fail after the engine has begun to answer: then it says so in its report.
    const failure = /"error"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec((await this.#answer) ?? '')?.[1];
    if (failure === undefined) return;
    throw new OperationalError(
      'ENGINE_UNAVAILABLE',
      `the docker engine refused ${quote(this.place)}: ${quote(failure.slice(0, 500))}`,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#body.destroy();
    return Promise.resolve();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #begin(): Promise<string> {
    const answer = this.#load();
    answer.catch((error: unknown) => {
      // Whoever writes is told.
      this.#failure = error;
      this.#body.destroy();
    });
    return answer;
  }

  async #load(): Promise<string> {
    const answer = await callEngine({
      ...this.#call,
      method: 'POST',
      path: '/images/load?quiet=1',
      body: this.#body as AsyncIterable<Uint8Array>,
    });
    let report = '';
    for await (const piece of answer) {
      if (report.length < MAX_REPORT_BYTES) report += Buffer.from(piece).toString('utf8');
    }
    return report;
  }
}
