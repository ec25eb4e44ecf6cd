import { OperationalError } from '../errors/operational-error.js';
import type { StoredImage } from '../store/image-store.js';
import type { Host } from './host.js';

/**
 * An image of the store by what a person calls it: a name as the store files it, a digest or the start of one, or a
 * reference as it was given to `pull`. Undefined where it is not in the store, and for text that is no reference. No network is asked.
 */
export async function findStoredImage(host: Host, text: string): Promise<StoredImage | undefined> {
  const store = await host.openStore();
  const found = await store.findImage(text);
  if (found !== undefined) return found;
  try {
    await using source = await host.openSource(text, { preferStored: true });
    return await store.findImage(source.storeName);
  } catch (error) {
    if (error instanceof OperationalError && NO_SUCH_IMAGE.has(error.code)) return undefined;
    throw error;
  }
}

/** What opening a source says of text that cannot name an image, and of a layout that is not there. */
const NO_SUCH_IMAGE = new Set<string>([
  'REFERENCE_INVALID',
  'TRANSPORT_UNKNOWN',
  'IMAGE_NOT_FOUND',
]);
