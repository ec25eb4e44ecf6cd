import type { Digest } from '../oci/digest.js';
import type { StorageKind } from '../store/image-store.js';
import { readAllDeployments } from './all-deployments.js';
import type { Host } from './host.js';
import { findJournal, listJournal } from './journal.js';

/**
 * The images that deployments were made of: all that are on disk, not only the present ones, and those that a change
 * under way is making or leaving; with `storage`, those deployments alone whose files are of that store. Pruning has to keep them: `fsck --repair`, `verify` and comparisons need their records.
 *
 * @throws OperationalError CONTAINER_STATE_INVALID if a record is damaged: nobody can say what it needs
 */
export async function imagesInUse(host: Host, storage?: StorageKind): Promise<ReadonlySet<Digest>> {
  const used = new Set<Digest>();
  // The journal first: what it promises is on disk before it ends.
  for (const name of await listJournal(host.paths)) {
    const entry = await findJournal(host.paths, name);
    for (const { from, to } of entry?.transitions ?? []) {
      if (from?.digest !== undefined) used.add(from.digest);
      if (to?.digest !== undefined) used.add(to.digest);
    }
  }
  const { deployments, damaged } = await readAllDeployments(host);
  for (const { error } of damaged) throw error;
  for (const { image, storage: own } of deployments) {
    if (storage === undefined || own === storage) used.add(image.digest);
  }
  return used;
}
