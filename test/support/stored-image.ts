import { digestOf, type Digest } from '../../src/oci/digest.js';
import { parseImageConfig } from '../../src/oci/parse-image-config.js';
import { parseManifest } from '../../src/oci/parse-manifest.js';
import type { NewImage } from '../../src/store/image-store.js';

/** An image for a store's `addImage`, with the given layers; `comment` makes its digest differ from others. */
export function storedImageOf(
  diffIds: readonly Digest[],
  names: readonly string[],
  comment = '',
): NewImage {
  const configBytes = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      comment,
    }),
  );
  const manifestBytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(configBytes),
        size: configBytes.length,
      },
      layers: diffIds.map((diffId) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: diffId,
        size: 1024,
      })),
    }),
  );
  const parsed = parseManifest(manifestBytes, { what: 'the manifest' });
  if (parsed.kind !== 'manifest') throw new Error('not a manifest');
  return {
    digest: digestOf(manifestBytes),
    manifestBytes,
    configBytes,
    manifest: parsed.manifest,
    config: parseImageConfig(configBytes, { what: 'the config', manifest: parsed.manifest }),
    names,
  };
}
