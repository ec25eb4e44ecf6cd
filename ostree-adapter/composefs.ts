import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname, isAbsolute } from 'node:path';

import { OstreeError } from './errors.js';
import { callFunctionAside, type AsyncOptions } from './ffi/call.js';
import { loadLibrary } from './ffi/library.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { dictData, variantUint32 } from './gvariant/value.js';
import {
  AT_FDCWD,
  checksumArgument,
  directoryArgument,
  pathArgument,
  type Checksum,
} from './object-name.js';
import type { Repo } from './repo.js';
import { verifyTree } from './verify-tree.js';

const CHECKOUT = 'ostree_repo_checkout_composefs';
const PROTOTYPE = `int ${CHECKOUT}(void *self, void *options, int destination_dfd, void *destination_path, void *checksum, void *cancellable, void *error)`;

/** Whether the files that a composefs image names have to have fs-verity digests: never, where they have, always. */
export const verityModes = { disabled: 0, maybe: 1, required: 2 } as const;

/** How a composefs image is made. */
export interface ComposefsOptions extends AsyncOptions {
  readonly commit: Checksum;
  /** The image file; one that is there is replaced in one step. */
  readonly path: string;
  /** An open directory that `path` is relative to; the working directory if missing. */
  readonly dirFd?: number | undefined;
  /** Default `required`. */
  readonly verity?: keyof typeof verityModes | undefined;
}

/** Whether libostree has the function (2024.7 and later); it may still be built without composefs. */
export function hasComposefsCheckout(): boolean {
  return loadLibrary().find(['ostree', PROTOTYPE]) !== undefined;
}

/**
 * Writes the composefs image of a commit: an EROFS file of its tree that names the repository's objects, and with fs-verity
 * their digests.
 *
 * @throws {@link OstreeError} (`isNotSupported` where libostree cannot), {@link OstreeInputError}; Node's error where the
 * directory of the image cannot be opened
 */
export async function checkoutComposefs(repo: Repo, options: ComposefsOptions): Promise<void> {
  const checkout = loadLibrary().find(['ostree', PROTOTYPE]);
  if (checkout === undefined) {
    throw new OstreeError('this libostree has no composefs (it came with 2024.7)', {
      operation: CHECKOUT,
      domain: 'g-io-error-quark',
      code: 15,
    });
  }
  pathArgument(options.path);
  const base = directoryArgument(options.dirFd);
  const parent = dirname(options.path);
  const commit = checksumArgument(options.commit);
  verifyTree(repo, options.commit);
  const verity = variantUint32(verityModes[options.verity ?? 'required']);
  using variant = NativeVariant.of({
    type: 'a{sv}',
    value: dictData(new Map([['verity', verity]])),
  });
  // libostree makes the file in the directory that it is given, and links it to the path from there.
  const directory = openSync(
    base === AT_FDCWD || isAbsolute(parent) ? parent : `/proc/self/fd/${base}/${parent}`,
    constants.O_RDONLY | constants.O_DIRECTORY,
  );
  try {
    const name = pathArgument(basename(options.path));
    await repo.handle.whileHeld((pointer) =>
      callFunctionAside(checkout, CHECKOUT, {
        args: [pointer, variant.pointer, directory, name, commit],
        signal: options.signal,
      }),
    );
  } finally {
    closeSync(directory);
  }
}
