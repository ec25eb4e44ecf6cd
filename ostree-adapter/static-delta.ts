import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { native } from './ffi/library.js';
import { filledSlot, readString, slot } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { arrayPointers } from './ffi/ptr-array.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { dictData, variantBoolean, variantBytes, type Variant } from './gvariant/value.js';
import { checksumArgument, pathArgument, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';
import type { Transaction } from './transaction.js';
import { verifyCommits } from './verify-tree.js';

/** What a static delta is made of. */
export interface StaticDeltaOptions extends AsyncOptions {
  /** What the receiver has; nothing if missing. */
  readonly from?: Checksum | undefined;
  readonly to: Checksum;
  /** A file to write it to, all of it in one, instead of the repository's `deltas/`. Absolute. */
  readonly file?: string | undefined;
}

/**
 * Names of the static deltas in a repository: `TO`, or `FROM-TO`.
 *
 * @throws {@link OstreeError}
 */
export function listStaticDeltas(repo: Repo): readonly string[] {
  const out = slot();
  callSync('ostree_repo_list_static_delta_names', repo.handle.pointer, out, null);
  // (transfer container) of strings that the array frees
  const array = filledSlot(out);
  try {
    return arrayPointers(array).map(readString);
  } finally {
    native().g_ptr_array_unref(array);
  }
}

/**
 * Makes the static delta between two commits.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function generateStaticDelta(repo: Repo, options: StaticDeltaOptions): Promise<void> {
  const from = options.from === undefined ? null : checksumArgument(options.from);
  const to = checksumArgument(options.to);
  verifyCommits(repo, options.from === undefined ? [options.to] : [options.from, options.to]);
  const entries = new Map<string, Variant>();
  if (options.file !== undefined) {
    entries.set('filename', variantBytes(pathArgument(options.file)));
    entries.set('inline-parts', variantBoolean(true));
  }
  using parameters = NativeVariant.of({ type: 'a{sv}', value: dictData(entries) });
  await repo.handle.whileHeld((pointer) =>
    callAside(
      'ostree_repo_static_delta_generate',
      [pointer, MAJOR, from, to, null, parameters.pointer],
      options,
    ),
  );
}

/** `OSTREE_STATIC_DELTA_GENERATE_OPT_MAJOR`. */
const MAJOR = 1;

/**
 * Takes a static delta from a file, or from the directory of one, into a repository; its parts are checked against what the
 * delta says they are. The delta must come from somebody who is trusted: libostree's code for it
 * was made for what its own command wrote.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function applyStaticDelta(
  transaction: Transaction,
  path: string,
  options: AsyncOptions = {},
): Promise<void> {
  // (transfer full)
  const pointer = native().g_file_new_for_path(pathArgument(path));
  if (pointer === null) throw new Error('internal error: no file');
  using file = new NativeObject(pointer, 'a file');
  await transaction.whileWriting((self) =>
    callAside('ostree_repo_static_delta_execute_offline', [self, file.pointer, 0], options),
  );
}
