import type { Descriptor } from './descriptor.js';
import type { ImageIndex } from './manifest.js';
import { isIndexType, isManifestType } from './media-types.js';
import type { Platform } from './platform.js';

/**
 * The entries of an index that can serve a platform, best first: the nearest variant before lesser ones, and within one
 * variant the first that stands there (image-spec v1.1 image-index.md: "the first matching entry SHOULD be used").
 * Entries without a platform come last; attestations and artifacts never.
 */
export function rankManifests(index: ImageIndex, wanted: Platform): readonly Descriptor[] {
  const candidates = index.manifests.filter(isImage);
  const matching = acceptedVariants(wanted).flatMap((variant) =>
    candidates.filter(
      ({ platform }) =>
        platform?.os === wanted.os &&
        normaliseArchitecture(platform.architecture) === wanted.architecture &&
        normaliseVariant(platform) === variant,
    ),
  );
  return [...matching, ...candidates.filter(({ platform }) => platform === undefined)];
}

/** Whether something made for `platform` runs on `host`. */
export function isCompatible(platform: Platform, host: Platform): boolean {
  return (
    platform.os === host.os &&
    normaliseArchitecture(platform.architecture) === host.architecture &&
    acceptedVariants(host).includes(normaliseVariant(platform))
  );
}

/** The platforms of an index's images, for messages: `linux/amd64`, each once. */
export function listPlatforms(index: ImageIndex): readonly string[] {
  return [
    ...new Set(
      index.manifests
        .filter(isImage)
        .flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)])),
    ),
  ];
}

/** `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

function isImage(descriptor: Descriptor): boolean {
  const { mediaType, platform, annotations, artifactType } = descriptor;
  if (!isManifestType(mediaType) && !isIndexType(mediaType)) return false;
  if (artifactType !== undefined) return false;
  // buildx files provenance and SBOMs as manifests for unknown/unknown.
  if (platform?.os === 'unknown' || platform?.architecture === 'unknown') return false;
  return annotations?.['vnd.docker.reference.type'] === undefined;
}

/** Variants that run on a host, nearest first. An entry without variant is the architecture's baseline. */
function acceptedVariants({ architecture, variant }: Platform): readonly (string | undefined)[] {
  const level = /^v(\d+)$/.exec(variant ?? '')?.[1];
  switch (architecture) {
    case 'arm':
      // 32-bit ARM runs what was made for earlier ones; v8 runs v7 code in its 32-bit state.
      return [...countDown(Number(level ?? 7), 5), undefined];
    case 'amd64':
      return [...countDown(Number(level ?? 1), 2), undefined];
    case 'arm64':
      return [...countDown(Number(level ?? 8), 9), undefined];
    default:
      return variant === undefined ? [undefined] : [variant, undefined];
  }
}

function countDown(from: number, to: number): string[] {
  const levels: string[] = [];
  for (let level = Math.min(from, 9); level >= to; level--) levels.push(`v${level}`);
  return levels;
}

/** v1 of amd64 and v8 of arm64 are the baselines: other words for no variant. */
function normaliseVariant({ architecture, variant }: Platform): string | undefined {
  if (variant === '' || variant === undefined) return undefined;
  switch (normaliseArchitecture(architecture)) {
    case 'amd64':
      return variant === 'v1' ? undefined : variant;
    case 'arm64':
      return variant === 'v8' ? undefined : variant;
    case 'arm':
      return /^\d$/.test(variant) ? `v${variant}` : variant;
    default:
      return variant;
  }
}

/** Words that builders have used in place of Go's. */
function normaliseArchitecture(architecture: string): string {
  switch (architecture) {
    case 'x86_64':
    case 'x86-64':
      return 'amd64';
    case 'aarch64':
      return 'arm64';
    case 'armhf':
    case 'armel':
      return 'arm';
    case 'i386':
      return '386';
    default:
      return architecture;
  }
}
