import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { tableEntries } from './ffi/hash-table.js';
import { native } from './ffi/library.js';
import { filledSlot, readString, slot, slotPointer, takeString } from './ffi/memory.js';
import {
  checksumArgument,
  parseChecksum,
  refArgument,
  remoteArgument,
  type Checksum,
} from './object-name.js';
import type { Repo } from './repo.js';

/** Flag of `OstreeRepoListRefsExtFlags`: refs of remotes are left out. */
const EXCLUDE_REMOTES = 1 << 1;
/** Likewise: refs of mirrored collections. */
const EXCLUDE_MIRRORS = 1 << 2;

/**
 * The refs of this repository by their full names, without those of remotes unless they are wanted. With `prefix`, those below it (`a` means
 * `a/…`) and the one that is it.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export function listRefs(
  repo: Repo,
  {
    prefix,
    all,
  }: {
    readonly prefix?: string | undefined;
    /** Those of remotes and mirrors too, by their names with the remote in front. */
    readonly all?: boolean | undefined;
  } = {},
): ReadonlyMap<string, Checksum> {
  const out = slot();
  callSync(
    'ostree_repo_list_refs_ext',
    repo.handle.pointer,
    prefix === undefined ? null : refArgument(prefix),
    out,
    all === true ? 0 : EXCLUDE_REMOTES | EXCLUDE_MIRRORS,
    null,
  );
  // (transfer container) of strings that the table owns.
  const table = filledSlot(out);
  try {
    const refs = new Map<string, Checksum>();
    for (const [name, checksum] of tableEntries(table)) {
      refs.set(readString(name), parseChecksum(readString(checksum)));
    }
    return refs;
  } finally {
    native().g_hash_table_unref(table);
  }
}

/**
 * The commit that a ref means, of this repository or, if it has none, of its parent; undefined if there is no such ref.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export function resolveRef(repo: Repo, ref: string): Checksum | undefined {
  const out = slot();
  callSync('ostree_repo_resolve_rev', repo.handle.pointer, refArgument(ref), 1, out);
  const found = slotPointer(out);
  // (transfer full)
  return found === undefined ? undefined : parseChecksum(takeString(found));
}

/**
 * Makes a ref mean a commit, or removes it, outside a transaction; durable when it returns.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function setRef(
  repo: Repo,
  {
    ref,
    remote,
    checksum,
  }: {
    readonly ref: string;
    readonly remote?: string | undefined;
    /** Undefined removes the ref; removing one that is not there is success. */
    readonly checksum: Checksum | undefined;
  },
  options: AsyncOptions = {},
): Promise<void> {
  const args = [
    remote === undefined ? null : remoteArgument(remote),
    refArgument(ref),
    checksum === undefined ? null : checksumArgument(checksum),
  ];
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_set_ref_immediate', [pointer, ...args], options),
  );
}
