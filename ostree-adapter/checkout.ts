import { OstreeInputError } from './errors.js';
import { callAside, type AsyncOptions } from './ffi/call.js';
import { encodeCheckoutOptions } from './ffi/checkout-options.js';
import { checksumArgument, directoryArgument, pathArgument, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';
import { verifyTree } from './verify-tree.js';

/** What a checkout does where something stands already. */
export const overwriteModes = {
  /** Refuses. The directory itself must not be there. */
  none: 0,
  /** Replaces files; directories are kept and filled. */
  'union-files': 1,
  /** Keeps files that are there; adds others. */
  'add-files': 2,
  /** As `none` for files that differ; directories are kept and filled. Files are linked, or the checkout fails. */
  'union-identical': 3,
} as const;

/** How a commit is checked out. */
export interface CheckoutOptions extends AsyncOptions {
  readonly commit: Checksum;
  /** Where; its parent must be there. */
  readonly path: string;
  /** An open directory that `path` is relative to; the working directory if missing. */
  readonly dirFd?: number | undefined;
  /** A directory of the commit, or a file, instead of all of it: absolute inside the commit. */
  readonly subpath?: string | undefined;
  /** `user`: neither owner nor extended attributes are applied. Default `none`: all as committed. */
  readonly mode?: 'none' | 'user' | undefined;
  /** Default `none`. */
  readonly overwrite?: keyof typeof overwriteModes | undefined;
  /** Copies, instead of hard links into the repository. */
  readonly forceCopy?: boolean | undefined;
  /** Copies of files without content, which other software likes to write to. */
  readonly forceCopyZeroSized?: boolean | undefined;
  /** Fails where a hard link cannot be made, instead of copying. */
  readonly noCopyFallback?: boolean | undefined;
  /** Treats `.wh.NAME` as the removal of NAME. */
  readonly processWhiteouts?: boolean | undefined;
  /**
   * The commit was checked by {@link verifyTree}, or was just written by this process. Otherwise that is done first, since
   * libostree ends the process over some damaged trees.
   */
  readonly isVerified?: boolean | undefined;
  /** Directories as a `bare-user-only` repository would have them. */
  readonly bareUserOnlyDirs?: boolean | undefined;
}

/**
 * Checks a commit out, in another thread. What was written before a failure stays.
 *
 * libostree before 2024.5 follows symbolic links that stand in the way of a union checkout: only check out into
 * directories that nobody else may write to, one commit that was made of checked trees.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}; {@link GVariantError} for a damaged commit
 */
export async function checkout(repo: Repo, options: CheckoutOptions): Promise<void> {
  const overwrite = options.overwrite ?? 'none';
  if (!Object.hasOwn(overwriteModes, overwrite))
    throw new OstreeInputError('no such overwrite mode');
  if (options.processWhiteouts === true && overwrite === 'union-identical') {
    throw new OstreeInputError('a checkout that compares files cannot process whiteouts');
  }
  if (options.forceCopy === true && options.noCopyFallback === true) {
    throw new OstreeInputError('a checkout cannot both copy and not copy');
  }
  if (overwrite === 'union-identical' && options.forceCopy === true) {
    throw new OstreeInputError('a checkout that compares files cannot copy them');
  }
  const subpath = options.subpath === undefined ? null : subpathArgument(options.subpath);
  const encoded = encodeCheckoutOptions({
    mode: options.mode === 'user' ? 1 : 0,
    overwrite: overwriteModes[overwrite],
    processWhiteouts: options.processWhiteouts === true,
    // libostree compares only what it would link, and passes over everything else.
    noCopyFallback: options.noCopyFallback === true || overwrite === 'union-identical',
    forceCopy: options.forceCopy === true,
    bareUserOnlyDirs: options.bareUserOnlyDirs === true,
    forceCopyZeroSized: options.forceCopyZeroSized === true,
    subpath,
  });
  const args = [
    encoded,
    directoryArgument(options.dirFd),
    pathArgument(options.path),
    checksumArgument(options.commit),
  ];
  if (options.isVerified !== true) verifyTree(repo, options.commit);
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_checkout_at', [pointer, ...args], {
      signal: options.signal,
      holding: [subpath],
    }),
  );
}

function subpathArgument(subpath: string): Buffer {
  const bytes = pathArgument(subpath);
  const parts = subpath.split('/').slice(1);
  if (!subpath.startsWith('/') || parts.some((part) => part === '.' || part === '..')) {
    throw new OstreeInputError('subpath is not an absolute path without dots');
  }
  return bytes;
}
