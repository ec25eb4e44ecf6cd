import { OstreeInputError } from './errors.js';
import { callAside, type AsyncOptions } from './ffi/call.js';
import { slot, slotInt, slotNumber } from './ffi/memory.js';
import type { Repo } from './repo.js';

/** How a repository is pruned. */
export interface PruneOptions extends AsyncOptions {
  /** Keeps only what refs need; otherwise every commit that is there is kept. */
  readonly refsOnly?: boolean | undefined;
  /** Only says what would be removed. */
  readonly dryRun?: boolean | undefined;
  /** How many parents of each commit are kept; all if missing. */
  readonly depth?: number | undefined;
}

/** What pruning did, or would do. */
export interface PruneResult {
  readonly objectsTotal: number;
  readonly objectsPruned: number;
  readonly bytesPruned: number;
}

/** `OSTREE_REPO_PRUNE_FLAGS_NO_PRUNE`. */
const NO_PRUNE = 1 << 0;
/** `OSTREE_REPO_PRUNE_FLAGS_REFS_ONLY`. */
const REFS_ONLY = 1 << 1;

/**
 * Removes objects that nothing needs. Takes the repository's lock exclusively. A missing or damaged object of something that
 * stays makes it fail before anything is removed.
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}
 */
export async function prune(repo: Repo, options: PruneOptions = {}): Promise<PruneResult> {
  const depth = options.depth ?? -1;
  if (!Number.isInteger(depth) || depth < -1 || depth > 0x7fff_ffff) {
    throw new OstreeInputError('depth is not a number of commits');
  }
  const flags =
    (options.dryRun === true ? NO_PRUNE : 0) | (options.refsOnly === true ? REFS_ONLY : 0);
  const total = slot();
  const pruned = slot();
  const bytes = slot();
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_prune', [pointer, flags, depth, total, pruned, bytes], options),
  );
  return {
    objectsTotal: slotInt(total),
    objectsPruned: slotInt(pruned),
    bytesPruned: slotNumber(bytes),
  };
}
