import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import type { ImageConfig } from '../oci/image-config.js';
import type { ImageManifest } from '../oci/manifest.js';
import { parseManifest } from '../oci/parse-manifest.js';
import type { NewImage } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { ImageTrust } from '../trust/image-trust.js';
import { fetchLayer, type ExecutePullOptions } from './execute-pull.js';
import { readImageConfig } from './prepare-pull.js';

/**
 * Reads manifest and configuration of an image by its digest, whatever its name means by now.
 *
 * @throws {@link OperationalError} MANIFEST_INVALID if it is an index; what the source gives rise to
 */
export async function refetchDocuments(
  source: ImageSource,
  digest: Digest,
  { trust, signal }: { readonly trust: ImageTrust; readonly signal: AbortSignal },
): Promise<Omit<NewImage, 'names'>> {
  const document = await source.readManifest(digest, { signal });
  await trust.check({ ...document, source, isTop: false }, signal);
  const parsed = parseManifest(document.bytes, { what: `the manifest of ${quote(source.name)}` });
  if (parsed.kind !== 'manifest') {
    throw new OperationalError('MANIFEST_INVALID', `${quote(digest)} is an index, not an image`);
  }
  const { manifest } = parsed;
  const { config, configBytes } = await readImageConfig(source, { manifest, signal });
  return { digest, manifestBytes: document.bytes, manifest, config, configBytes };
}

/** Fetches one layer of an image again, by its digest, and puts it into the store in the place of what is there. */
export async function refetchLayer(
  image: { readonly manifest: ImageManifest; readonly config: ImageConfig },
  diffId: Digest,
  options: ExecutePullOptions,
): Promise<void> {
  const descriptor = image.manifest.layers[image.config.diffIds.indexOf(diffId)];
  if (descriptor === undefined) throw new Error('internal error: a layer of another image');
  await fetchLayer({ descriptor, diffId, present: false }, options);
}
