import { OstreeInputError } from './errors.js';
import { callAside, callForPointer, callSync, type AsyncOptions } from './ffi/call.js';
import { native } from './ffi/library.js';
import { NativeObject } from './ffi/native-object.js';
import { directoryArgument, pathArgument } from './object-name.js';

/** How a repository keeps its files, and the numbers of `OstreeRepoMode`. */
export const repoModes = {
  bare: 0,
  archive: 1,
  'bare-user': 2,
  'bare-user-only': 3,
  'bare-split-xattrs': 4,
} as const;

/** How a repository keeps its files: with owner and attributes as they are (`bare`, as root), beside them, or compressed. */
export type RepoMode = keyof typeof repoModes;

/** Where a repository is. */
export interface RepoLocation {
  /** Absolute, or relative to `dirFd`. */
  readonly path: string;
  /** An open directory; the working directory if missing. Only used during the call. */
  readonly dirFd?: number | undefined;
}

/**
 * An open repository: one reference to an `OstreeRepo`. Dispose of it. What is under way in it, an open transaction
 * included, keeps its own reference.
 *
 * One may be used by several calls at once: libostree's functions for reading, and for writing objects inside a
 * transaction, are safe in several threads. It has at most one transaction at a time; for more, open it more than once.
 */
export class Repo implements Disposable {
  readonly #handle: NativeObject;
  #transacting = false;

  /** Takes the handle over. Use {@link openRepo} or {@link createRepo}. */
  constructor(handle: NativeObject) {
    this.#handle = handle;
  }

  /** The native object. */
  get handle(): NativeObject {
    return this.#handle;
  }

  /** How it keeps its files. */
  get mode(): RepoMode {
    const number = native().ostree_repo_get_mode(this.#handle.pointer);
    const found = Object.entries(repoModes).find(([, value]) => value === number);
    if (found === undefined) throw new Error(`internal error: repository mode ${number}`);
    return found[0] as RepoMode;
  }

  /** Whether this process may write to it. */
  get isWritable(): boolean {
    // It says no by an error that says why not.
    try {
      return callSync('ostree_repo_is_writable', this.#handle.pointer) !== 0;
    } catch {
      return false;
    }
  }

  /** Whether what is written is synced to disk; true unless the repository's configuration says otherwise. */
  get syncs(): boolean {
    return native().ostree_repo_get_disable_fsync(this.#handle.pointer) === 0;
  }

  /** Switches syncing of what is written to disk off or on, for this object. */
  set syncs(wanted: boolean) {
    native().ostree_repo_set_disable_fsync(this.#handle.pointer, wanted ? 0 : 1);
  }

  /** Notes that a transaction begins; the result ends it. */
  beginTransacting(): () => void {
    if (this.#transacting) throw new Error('this repository has a transaction already');
    this.#transacting = true;
    return () => {
      this.#transacting = false;
    };
  }

  [Symbol.dispose](): void {
    this.#handle[Symbol.dispose]();
  }
}

/**
 * Opens a repository.
 *
 * @throws {@link OstreeError} (`isNotFound` where none is), {@link OstreeInputError}, {@link OstreeLibraryError}
 */
export function openRepo({ path, dirFd }: RepoLocation): Repo {
  // (transfer full)
  const pointer = callForPointer(
    'ostree_repo_open_at',
    directoryArgument(dirFd),
    pathArgument(path),
    null,
  );
  return new Repo(new NativeObject(pointer, 'a repository'));
}

/**
 * Creates a repository, or opens the one that is there already. The directory above it has to be there.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}, {@link OstreeLibraryError}
 */
export function createRepo({
  path,
  dirFd,
  mode,
}: RepoLocation & { readonly mode: RepoMode }): Repo {
  if (!Object.hasOwn(repoModes, mode)) throw new OstreeInputError('no such repository mode');
  // (transfer full)
  const pointer = callForPointer(
    'ostree_repo_create_at',
    directoryArgument(dirFd),
    pathArgument(path),
    repoModes[mode],
    null,
    null,
  );
  return new Repo(new NativeObject(pointer, 'a repository'));
}

/** Reads the repository's configuration again. */
export async function reloadConfig(repo: Repo, options: AsyncOptions = {}): Promise<void> {
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_reload_config', [pointer], options),
  );
}
