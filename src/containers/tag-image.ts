import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import { findStoredImage, noSuchImage } from './find-stored-image.js';
import type { Host } from './host.js';
import { assertPrivileged } from './preflight.js';

/**
 * Gives an image of the store a further name. The name is filed as a pull of it would file it, so that installing it finds
 * the image.
 *
 * @throws {@link OperationalError} IMAGE_NOT_FOUND, REFERENCE_INVALID; USAGE for what is no name of a registry's image
 */
export async function tagImage(
  host: Host,
  text: string,
  name: string,
): Promise<{ readonly digest: Digest; readonly name: string }> {
  assertPrivileged(host);
  const image = await findStoredImage(host, text);
  if (image === undefined) throw await noSuchImage(host, text);
  await using source = await host.openSource(name, { preferStored: true });
  if (!source.name.startsWith('docker://') || source.storeName.includes('@')) {
    throw new OperationalError(
      'USAGE',
      `${quote(name)} cannot be given to an image: it is no name with a tag`,
    );
  }
  await (await host.openStore()).addName(source.storeName, image.digest);
  return { digest: image.digest, name: source.storeName };
}
