import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
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

/** That the store has no image of that name. */
export async function noSuchImage(host: Host, text: string): Promise<OperationalError> {
  const near = await nearestImage(host, text);
  return new OperationalError('IMAGE_NOT_FOUND', `there is no image ${quote(text)} in the store`, {
    hint:
      near === undefined ? "'berth images list' shows what there is" : `did you mean '${near}'?`,
  });
}

/** The image of the store whose name is nearest to one that none has, also by its last part, and without its tag. */
export async function nearestImage(host: Host, text: string): Promise<string | undefined> {
  const images = await (await host.openStore()).listImages();
  const names = new Map<string, string>();
  for (const name of images.flatMap((image) => image.names)) {
    const untagged = name.replace(/:[\w.-]+$/, '');
    for (const part of [name, untagged, name.replace(/^.*\//, ''), untagged.replace(/^.*\//, '')])
      if (!names.has(part)) names.set(part, name);
  }
  return names.get(suggestName(text, [...names.keys()]) ?? '');
}

/** What opening a source says of text that cannot name an image, and of a layout that is not there. */
const NO_SUCH_IMAGE = new Set<string>([
  'REFERENCE_INVALID',
  'TRANSPORT_UNKNOWN',
  'IMAGE_NOT_FOUND',
]);
