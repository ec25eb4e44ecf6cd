import { appendFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

import { createRepo, openRepo, type Repo, type RepoMode } from '../../../ostree-adapter/index.js';
import { syncFolder } from '../../base/atomic-file.js';
import { AT_FDCWD } from '../../sys/libc.js';
import { acquireLock, type LockFile } from '../../sys/lock-file.js';
import { removeTreeAt } from '../../sys/remove-tree.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import { isPrivileged } from '../apply-meta.js';
import { makeFolder } from '../make-folder.js';
import type { Sealing } from '../object-writer.js';
import { StoreFolder } from '../store-folder.js';
import { onRepository, onRepositoryAsync } from './repository-error.js';
import { integritySection, readIntegrity, strictest, type IntegrityConfig } from './sealing.js';

/*
 * An OSTree repository as a store:
 *
 *   REPO/refs/heads/ociimage/…   ref-names.ts says what they mean
 *   REPO/.lock                   libostree's: shared while images are used, so that `ostree prune` waits
 *   REPO/.berth-lock             the same among stores: libostree's is taken by its own pruning, and would wait for ours
 *   REPO/tmp/berth/              whose turn it is at which layer
 *   REPO.new, REPO.lock          the repository while it is made, and who makes it
 */

/** What of a repository is sealed, where its own configuration says nothing of it, and in one that is made. */
export interface RepositorySealing {
  /** Files of images, by fs-verity. */
  readonly sealing?: Sealing | undefined;
  /** Roots of containers, by composefs, for which files have to be. */
  readonly composefs?: Sealing | undefined;
}

/** The repository of a store. libostree is not loaded before there is one. */
export class RepositoryPlace extends StoreFolder {
  readonly #wanted: RepositorySealing;
  #repo: Repo | undefined;
  #integrity: IntegrityConfig | undefined;

  constructor(root: string, wanted: RepositorySealing = {}) {
    super(root);
    this.#wanted = wanted;
  }

  get tempPath(): string {
    return this.path('tmp/berth');
  }

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

  /** What its configuration says. */
  get integrity(): IntegrityConfig {
    this.#integrity ??= readIntegrity(this.path('config'));
    return this.#integrity;
  }

  /** Whether files that are written to it are sealed. */
  get sealing(): Sealing {
    return this.integrity.sealing ?? this.#wantedOfFiles;
  }

  /** Whether the roots of containers are. */
  get composefs(): Sealing {
    return this.integrity.composefs ?? this.#wanted.composefs ?? 'no';
  }

  get #wantedOfFiles(): Sealing {
    return strictest(this.#wanted.sealing ?? 'no', this.#wanted.composefs ?? 'no');
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
    });
  }

  async holdAlone(): Promise<LockFile> {
    return acquireLock(this.path('.berth-lock'), { mode: 'exclusive' });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.#repo?.[Symbol.dispose]();
    this.#repo = undefined;
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
    if (mode === 'bare') appendFileSync(`${making}/config`, integritySection(this.#wantedOfFiles));
    await syncFileSystemOf(making);
    renameSync(making, this.root);
    await syncFolder(dirname(this.root));
  }

  protected async acquire(signal: AbortSignal | undefined): Promise<readonly LockFile[]> {
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
