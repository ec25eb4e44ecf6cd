import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

import { createRepo, openRepo, type Repo, type RepoMode } from '../../../ostree-adapter/index.js';
import { syncFolder } from '../../base/atomic-file.js';
import { AT_FDCWD } from '../../sys/libc.js';
import { acquireLock, type LockFile } from '../../sys/lock-file.js';
import { removeTreeAt } from '../../sys/remove-tree.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import { isPrivileged } from '../apply-meta.js';
import { makeFolder } from '../make-folder.js';
import { onRepository, onRepositoryAsync } from './repository-error.js';

/*
 * An OSTree repository as a store:
 *
 *   REPO/refs/heads/ociimage/…   ref-names.ts says what they mean
 *   REPO/.lock                   libostree's: shared while images are used, so that `ostree prune` waits
 *   REPO/.berth-lock             the same among stores: libostree's is taken by its own pruning, and would wait for ours
 *   REPO/tmp/berth/              whose turn it is at which layer
 *   REPO.new, REPO.lock          the repository while it is made, and who makes it
 */

/** The repository of a store: made when something is first written, opened when something is first read, locked as needed. */
export class RepositoryPlace implements AsyncDisposable {
  readonly root: string;
  #repo: Repo | undefined;
  #locks: Promise<readonly LockFile[]> | undefined;
  #objectsFd: number | undefined;

  constructor(root: string) {
    this.root = root;
  }

  /** A path below the repository. */
  path(...parts: readonly string[]): string {
    return [this.root, ...parts].join('/');
  }

  /** Folder for what is only there for a while. */
  get tempPath(): string {
    return this.path('tmp/berth');
  }

  /** Whether there is a repository at all. */
  exists(): boolean {
    return this.#repo !== undefined || existsSync(this.path('config'));
  }

  /** The repository, open for reading. */
  get repo(): Repo {
    this.#repo ??= this.openAnother();
    return this.#repo;
  }

  /** The repository, opened once more: each has one transaction at a time. The caller disposes of it. */
  openAnother(): Repo {
    return onRepository(this.root, () => openRepo({ path: this.root }));
  }

  /** How files are kept in it. */
  get mode(): RepoMode {
    return this.repo.mode;
  }

  /** Makes the repository if there is none: as atomic did, `bare` as root, `bare-user` for anybody else. */
  async prepare(): Promise<void> {
    await onRepositoryAsync(this.root, async () => {
      if (!this.exists()) await this.#make();
      mkdirSync(this.tempPath, { recursive: true, mode: 0o700 });
      await this.hold();
    });
  }

  /** Holds the repository so that nothing is removed from it, until this place is disposed of. Idempotent. */
  async hold(signal?: AbortSignal): Promise<void> {
    // The promise is kept, not the locks: layers come in side by side, and each of them asks.
    this.#locks ??= this.#acquire(signal);
    try {
      await this.#locks;
    } catch (error) {
      this.#locks = undefined;
      throw error;
    }
  }

  /** Lets go what {@link RepositoryPlace.hold} holds. */
  async letGo(): Promise<void> {
    const locks = this.#locks;
    this.#locks = undefined;
    try {
      for (const lock of (await locks) ?? []) lock.release();
    } catch {
      // They were never had, and whoever waited for them has been told.
    }
  }

  /** Waits until no store uses the repository, and keeps it so. */
  async holdAlone(): Promise<LockFile> {
    return acquireLock(this.path('.berth-lock'), { mode: 'exclusive' });
  }

  /** A descriptor of `objects/`; closed with this place. */
  get objectsFd(): number {
    this.#objectsFd ??= openSync(this.path('objects'), constants.O_RDONLY | constants.O_DIRECTORY);
    return this.#objectsFd;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.letGo();
    this.#repo?.[Symbol.dispose]();
    this.#repo = undefined;
    if (this.#objectsFd !== undefined) closeSync(this.#objectsFd);
    this.#objectsFd = undefined;
  }

  /** Beside, then renamed: libostree makes the folders of a repository one by one, its configuration among the first. */
  async #make(): Promise<void> {
    makeFolder(dirname(this.root));
    const turn = await acquireLock(`${this.root}.lock`, { mode: 'exclusive' });
    try {
      if (!this.exists()) await this.#makeAlone();
    } finally {
      turn.release();
    }
  }

  async #makeAlone(): Promise<void> {
    const making = `${this.root}.new`;
    removeTreeAt({ dirFd: AT_FDCWD, name: Buffer.from(making, 'utf8').toString('latin1') });
    // Setuid programs of images will be in there: nobody else is to get at them.
    makeFolder(making);
    const mode = isPrivileged() ? 'bare' : 'bare-user';
    createRepo({ path: making, mode })[Symbol.dispose]();
    await syncFileSystemOf(making);
    renameSync(making, this.root);
    await syncFolder(dirname(this.root));
  }

  async #acquire(signal: AbortSignal | undefined): Promise<readonly LockFile[]> {
    const options = { mode: 'shared', signal } as const;
    const own = await acquireLock(this.path('.berth-lock'), options);
    try {
      return [own, await acquireLock(this.path('.lock'), options)];
    } catch (error) {
      own.release();
      throw error;
    }
  }
}
