import { OstreeInputError } from './errors.js';
import { callAside, type AsyncOptions } from './ffi/call.js';
import { slot, slotInt, slotNumber } from './ffi/memory.js';
import { readCommit } from './commit.js';
import type { Checksum } from './object-name.js';
import { hasObject, listObjects } from './objects.js';
import { listRefs } from './refs.js';
import type { Repo } from './repo.js';
import { verifyCommits } from './verify-tree.js';

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

/** The commits whose trees libostree walks. */
async function commitsThatStay(repo: Repo, options: PruneOptions): Promise<ReadonlySet<Checksum>> {
  if (options.refsOnly !== true) {
    const objects = await listObjects(repo, options);
    const commits = objects.filter(({ type }) => type === 'commit');
    return new Set(commits.map(({ checksum }) => checksum));
  }
  const commits = new Set<Checksum>();
  for (const ref of listRefs(repo, { all: true }).values()) {
    let next: Checksum | undefined = ref;
    for (let left = options.depth ?? Infinity; next !== undefined && left >= 0; left -= 1) {
      // Parents may be missing; what a ref names may not.
      if (next !== ref && !hasObject(repo, { type: 'commit', checksum: next })) break;
      commits.add(next);
      next = readCommit(repo, next).parent;
      if (next !== undefined && commits.has(next)) break;
    }
  }
  return commits;
}

/**
 * Removes objects that nothing needs. Takes the repository's lock exclusively. Missing or damaged metadata of something
 * that stays makes it fail before anything is removed ({@link verifyTree}).
 *
 * @throws {@link OstreeError}, {@link OstreeInputError}, {@link GVariantError}
 */
export async function prune(repo: Repo, options: PruneOptions = {}): Promise<PruneResult> {
  const depth = options.depth ?? -1;
  if (!Number.isInteger(depth) || depth < -1 || depth > 0x7fff_ffff) {
    throw new OstreeInputError('depth is not a number of commits');
  }
  verifyCommits(repo, await commitsThatStay(repo, options));
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
