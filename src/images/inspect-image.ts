import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';
import type { ImageConfig } from '../oci/image-config.js';
import { listReferences } from '../oci/list-references.js';
import type { ImageManifest } from '../oci/manifest.js';
import type { Platform } from '../oci/platform.js';
import { formatPlatform } from '../oci/select-platform.js';
import type { ImageSource } from '../transport/image-source.js';
import { readImageConfig } from './prepare-pull.js';
import { resolveManifest } from './resolve-manifest.js';

/** What an image says of itself; its layers are not read. */
export interface ImageInspection {
  readonly name: string;
  /** Of the manifest for the platform. */
  readonly digest: Digest;
  /** Of what the name means: the index, where there is one. */
  readonly topDigest: Digest;
  /** What an index offers; empty where there is none. */
  readonly platforms: readonly string[];
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
}

/** Reads manifest and configuration of an image for a platform. */
export async function inspectImage(
  source: ImageSource,
  options: { readonly platform: Platform; readonly signal: AbortSignal },
): Promise<ImageInspection> {
  const { signal } = options;
  const { digest, manifest, topDigest } = await resolveManifest(source, options);
  const { config, configBytes } = await readImageConfig(source, { manifest, signal });
  const platforms = topDigest === digest ? [] : await listOffered(source, signal);
  return { name: source.name, digest, topDigest, platforms, manifest, config, configBytes };
}

async function listOffered(source: ImageSource, signal: AbortSignal): Promise<readonly string[]> {
  const top = await source.readManifest(undefined, { signal });
  try {
    const what = source.name;
    const { manifests } = listReferences(top.bytes, { what, contentType: top.mediaType });
    return manifests.flatMap(({ platform }) =>
      platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)],
    );
  } catch (error) {
    if (error instanceof OperationalError) return []; // it was read a moment ago: what changed since is not asked about
    throw error;
  }
}
