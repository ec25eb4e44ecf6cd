import { closeSync, constants, openSync } from 'node:fs';

import type { LockFile } from '../sys/lock-file.js';

/** The folder of a store: made when something is first written, opened when something is first read, locked as needed. */
export abstract class StoreFolder implements AsyncDisposable {
  readonly root: string;
  #locks: Promise<readonly LockFile[]> | undefined;
  #objectsFd: number | undefined;

  constructor(root: string) {
    this.root = root;
  }

  /** Folder for what is only there for a while. */
  abstract get tempPath(): string;

  /** Whether there is a store at all. */
  abstract exists(): boolean;

  /** Makes the store if there is none. */
  abstract prepare(): Promise<void>;

  /** Waits until nobody uses the store, and keeps it so. */
  abstract holdAlone(): Promise<LockFile>;

  /** A path below the store. */
  path(...parts: readonly string[]): string {
    return [this.root, ...parts].join('/');
  }

  /** Holds the store so that nothing is removed from it, until this is disposed of. Idempotent. */
  async hold(signal?: AbortSignal): Promise<void> {
    // The promise is kept, not the locks: layers come in side by side, and each of them asks.
    this.#locks ??= this.acquire(signal);
    try {
      await this.#locks;
    } catch (error) {
      this.#locks = undefined;
      throw error;
    }
  }

  /** Lets go what {@link StoreFolder.hold} holds. */
  async letGo(): Promise<void> {
    const locks = this.#locks;
    this.#locks = undefined;
    try {
      for (const lock of (await locks) ?? []) lock.release();
    } catch {
      // They were never had, and whoever waited for them has been told.
    }
  }

  /** A descriptor of `objects/`; closed with this. */
  get objectsFd(): number {
    this.#objectsFd ??= openSync(this.path('objects'), constants.O_RDONLY | constants.O_DIRECTORY);
    return this.#objectsFd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.letGo();
    if (this.#objectsFd !== undefined) closeSync(this.#objectsFd);
    this.#objectsFd = undefined;
  }

  /** The locks that say that the store is used. */
  protected abstract acquire(signal: AbortSignal | undefined): Promise<readonly LockFile[]>;
}
