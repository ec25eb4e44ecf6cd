import { readdirSync, type Dirent } from 'node:fs';
import { isAbsolute } from 'node:path';

import { OstreeInputError } from './errors.js';
import { callAside, type AsyncOptions } from './ffi/call.js';
import { native } from './ffi/library.js';
import type { MutableTree } from './mutable-tree.js';
import { AT_FDCWD, directoryArgument, pathArgument, uint31 } from './object-name.js';
import type { Transaction } from './transaction.js';
import { checkTreeDepth } from './tree-depth.js';

/** How files are taken into a repository in one call. */
export interface ImportOptions extends AsyncOptions {
  /** Extended attributes are left out. */
  readonly skipXattrs?: boolean | undefined;
  /** Owner root, no attributes, permissions of a `bare-user-only` repository. */
  readonly canonicalPermissions?: boolean | undefined;
}

/** `OSTREE_REPO_COMMIT_MODIFIER_FLAGS_SKIP_XATTRS`. */
const SKIP_XATTRS = 1 << 0;
/** `OSTREE_REPO_COMMIT_MODIFIER_FLAGS_CANONICAL_PERMISSIONS`. */
const CANONICAL_PERMISSIONS = 1 << 2;
/** `OSTREE_REPO_COMMIT_MODIFIER_FLAGS_CONSUME`. */
const CONSUME = 1 << 4;

/**
 * Writes a directory and all below it into a tree, in one call: libostree reads and hashes the files itself. Anything but
 * files, symbolic links and directories makes it fail. With `consume`, files are moved where the repository can have them
 * as they are, and the directory is removed.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function importDirectory(
  transaction: Transaction,
  tree: MutableTree,
  options: ImportOptions & {
    readonly path: string;
    readonly dirFd?: number | undefined;
    readonly consume?: boolean | undefined;
  },
): Promise<void> {
  const place = [directoryArgument(options.dirFd), pathArgument(options.path)];
  checkDirectoryDepth(options);
  using modifier = new Modifier(flagsOf(options) | (options.consume === true ? CONSUME : 0));
  await transaction.whileWriting((pointer) =>
    tree.handle.whileHeld((treePointer) =>
      callAside(
        'ostree_repo_write_dfd_to_mtree',
        [pointer, ...place, treePointer, modifier.pointer],
        options,
      ),
    ),
  );
}

/**
 * Writes an archive that libarchive can read (tar above all) from a descriptor, a pipe too, into a tree, in one call.
 * Directories that the archive leaves out are made. Only for archives of somebody who is trusted: how deep the paths in one
 * are shows when libostree, and what frees its tree, has no stack left.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function importArchive(
  transaction: Transaction,
  tree: MutableTree,
  options: ImportOptions & { readonly fd: number },
): Promise<void> {
  const fd = uint31(options.fd, 'file descriptor');
  using modifier = new Modifier(flagsOf(options));
  await transaction.whileWriting((pointer) =>
    tree.handle.whileHeld((treePointer) =>
      callAside(
        'ostree_repo_write_archive_to_mtree_from_fd',
        [pointer, fd, treePointer, modifier.pointer, 1],
        options,
      ),
    ),
  );
}

/** Looks how deep a directory is, which libostree would find out by its stack. What cannot be read it tells itself. */
function checkDirectoryDepth({ path, dirFd }: { path: string; dirFd?: number | undefined }): void {
  const root =
    isAbsolute(path) || dirFd === undefined || dirFd === AT_FDCWD
      ? path
      : `/proc/self/fd/${dirFd}/${path}`;
  const queue: { readonly path: string; readonly depth: number }[] = [{ path: root, depth: 1 }];
  for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
    checkTreeDepth(item.depth);
    for (const entry of directoryEntries(item.path)) {
      if (entry.isDirectory()) {
        queue.push({ path: `${item.path}/${entry.name}`, depth: item.depth + 1 });
      }
    }
  }
}

function directoryEntries(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENAMETOOLONG')
      throw new OstreeInputError('a directory is too deep', { cause: error });
    return [];
  }
}

function flagsOf({ skipXattrs, canonicalPermissions }: ImportOptions): number {
  return (
    (skipXattrs === true ? SKIP_XATTRS : 0) |
    (canonicalPermissions === true ? CANONICAL_PERMISSIONS : 0)
  );
}

/** An `OstreeRepoCommitModifier` without callbacks: (transfer full). */
class Modifier implements Disposable {
  #pointer: bigint | undefined;

  constructor(flags: number) {
    this.#pointer = native().ostree_repo_commit_modifier_new(flags, null, null, null) ?? undefined;
  }

  get pointer(): bigint {
    if (this.#pointer === undefined) throw new Error('internal error: no modifier');
    return this.#pointer;
  }

  [Symbol.dispose](): void {
    if (this.#pointer !== undefined) native().ostree_repo_commit_modifier_unref(this.#pointer);
    this.#pointer = undefined;
  }
}
