import { existsSync } from 'node:fs';

import type { LockFile } from '../sys/lock-file.js';
import { clearOwnUnits, markOneRun } from './begin-change.js';
import { readNameLink } from './container-directory.js';
import type { Host } from './host.js';
import { journalFile } from './journal.js';
import { oneRunMark, removeOneRunMark } from './one-run-marks.js';

/**
 * A container that is there for one run, from before its installation until after it is gone.
 *
 * `.journal/NAME.run` says so; who is at it holds the lock of that file, and so does systemd-run, which inherits the
 * descriptor: a berth that is killed does not take the container from a program that goes on. A mark that nobody holds
 * is work for recovery ({@link removeAbandonedRuns}). It is in the journal so that a boot after a power cut finds it.
 */
export class OneRun implements AsyncDisposable {
  readonly #host: Host;
  readonly #name: string;
  readonly #lock: LockFile;

  /** Not to be called: see {@link beginOneRun}. */
  constructor(host: Host, name: string, lock: LockFile) {
    this.#host = host;
    this.#name = name;
    this.#lock = lock;
  }

  /** Holds the lock: for a child process that is to hold it, too. */
  get fd(): number {
    return this.#lock.fd;
  }

  /** Lets go of it. The mark went with the container; what could not be uninstalled is left to recovery. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { paths } = this.#host;
    try {
      const isThere = (await readNameLink(paths, this.#name)) !== undefined;
      if (isThere || existsSync(journalFile(paths, this.#name))) return;
      if (!existsSync(oneRunMark(paths, this.#name))) return;
      // It was never installed.
      await removeOneRunMark(paths, this.#name);
      await clearOwnUnits({ ...this.#host, signal: new AbortController().signal });
    } finally {
      this.#lock.release();
    }
  }
}

/** Marks a container that is about to be installed; when this returns, a power cut keeps the mark. */
export async function beginOneRun(host: Host, name: string): Promise<OneRun> {
  return new OneRun(host, name, await markOneRun(host, name));
}
