import type { Digest } from '../../oci/digest.js';
import type { FsckReport } from '../../store/image-store.js';
import { findStoredImage, noSuchImage } from '../find-stored-image.js';
import type { Host } from '../host.js';
import { assertPrivileged } from '../preflight.js';

/**
 * Reads images of the store again, all unless some are named, and compares everything that they need with its digests.
 *
 * @throws {@link OperationalError} IMAGE_NOT_FOUND, NEEDS_ROOT, CANCELLED
 */
export async function verifyImages(host: Host, named: readonly string[]): Promise<FsckReport> {
  assertPrivileged(host);
  const store = await host.openStore();
  if (named.length === 0) return store.fsck({ signal: host.signal });
  const images = new Set<Digest>();
  for (const text of named) {
    const image = await findStoredImage(host, text);
    if (image === undefined) throw await noSuchImage(host, text);
    images.add(image.digest);
  }
  return store.fsck({ signal: host.signal, images });
}
