import { PartialDownloads } from '../images/partial-downloads.js';
import type { PruneResult, StoredImage } from '../store/image-store.js';
import type { Host } from './host.js';
import { imagesInUse } from './images-in-use.js';
import { assertPrivileged } from './preflight.js';
import { pruneSignatures } from './prune-signatures.js';

/** Options of {@link pruneImages}. */
export interface PruneImagesOptions {
  /** Also images that have names and that no deployment was made of. */
  readonly all: boolean;
}

/** The images that {@link pruneImages} would remove now. */
export async function planPrune(
  host: Host,
  options: PruneImagesOptions,
): Promise<readonly StoredImage[]> {
  const used = await imagesInUse(host);
  return (await (await host.openStore()).listImages()).filter(
    ({ digest, names }) => !used.has(digest) && (options.all || names.length === 0),
  );
}

/**
 * Removes images without names, or all that no deployment was made of, what only they have, and the beginnings of downloads that broke off. What any deployment on disk
 * was made of stays, present or not, pinned or not, and what a command brings in at the same time: pruning waits for it.
 *
 * @throws OperationalError NEEDS_ROOT; CONTAINER_STATE_INVALID if a record is damaged: nobody can say what it needs
 */
export async function pruneImages(host: Host, options: PruneImagesOptions): Promise<PruneResult> {
  assertPrivileged(host);
  const store = await host.openStore();
  const pruned = await store.prune({ keep: () => imagesInUse(host), unname: () => options.all });
  await pruneSignatures(host);
  const partials = new PartialDownloads(host.paths.onDisk(host.paths.partialDir));
  return { ...pruned, freedBytes: pruned.freedBytes + partials.removeAll() };
}
