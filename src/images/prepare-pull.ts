import { quote } from '../base/escape-text.js';
import { addContext } from '../errors/with-context.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { ImageConfig } from '../oci/image-config.js';
import type { ImageManifest } from '../oci/manifest.js';
import { MAX_IMAGE_CONFIG_BYTES, parseImageConfig } from '../oci/parse-image-config.js';
import type { Platform } from '../oci/platform.js';
import { formatPlatform, isCompatible } from '../oci/select-platform.js';
import { readVerified } from '../oci/verify-content.js';
import type { ImageStore } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { ImageTrust, TrustVerdict } from '../trust/image-trust.js';
import { resolveManifest } from './resolve-manifest.js';

/** One layer of an image to pull. */
export interface PlannedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Whether the store has it, so that nothing is fetched. */
  readonly present: boolean;
}

/** What a pull will do; made without changing anything. */
export interface PullPlan {
  /** Where it comes from: {@link ImageSource.name}. */
  readonly sourceName: string;
  /** The name under which it will be filed. */
  readonly storeName: string;
  /** Of the manifest for the platform. */
  readonly digest: Digest;
  /** Of what the reference led to: the index, where there is one. */
  readonly topDigest: Digest;
  readonly manifest: ImageManifest;
  readonly manifestBytes: Uint8Array;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  /** Lowest first. */
  readonly layers: readonly PlannedLayer[];
  /** Of the layers that are not present; one that stands twice counts once. */
  readonly bytesToFetch: number;
  /** Why it may be taken: what the policy says of the manifest for the platform. */
  readonly trust: TrustVerdict['record'];
  /** The signatures of the manifest that this rests on. */
  readonly evidence: TrustVerdict['evidence'];
  /** Whether the store has it under this name already: executing the plan changes nothing. */
  readonly alreadyPresent: boolean;
}

/** What planning a pull takes. */
export interface PreparePullOptions {
  readonly store: Pick<ImageStore, 'hasLayer' | 'findImage'>;
  readonly platform: Platform;
  /** Decides whether the image may be taken: nothing of it is believed before. */
  readonly trust: ImageTrust;
  readonly signal: AbortSignal;
}

/**
 * Finds out what pulling an image means: reads its manifest and configuration, and asks the store for its layers.
 *
 * @throws {@link OperationalError} what the source, the documents, the platform or the policy give rise to
 */
export async function preparePull(
  source: ImageSource,
  options: PreparePullOptions,
): Promise<PullPlan> {
  const { store, platform, signal } = options;
  let verdict: TrustVerdict | undefined;
  const { digest, bytes, manifest, topDigest } = await resolveManifest(source, {
    platform,
    signal,
    // The index and the manifest: a signature of another platform's says nothing of this one (CVE-2022-24778).
    accept: async (document, isTop) => {
      verdict = await options.trust.check({ ...document, source, isTop }, signal);
    },
  });
  if (verdict === undefined) throw new Error('internal error: an image that nobody has checked');
  const stored = await store.findImage(digest);
  // What looks whether there is something new mostly finds what is there: one request then, not two.
  const { config, configBytes } = stored ?? (await readImageConfig(source, { manifest, signal }));
  if (!isCompatible(config.platform, platform)) {
    throw new OperationalError(
      'PLATFORM_NOT_FOUND',
      `${quote(source.name)} is made for ${quote(formatPlatform(config.platform))}, not for ${formatPlatform(platform)}`,
    );
  }
  const layers: PlannedLayer[] = [];
  const present = new Map<Digest, boolean>();
  let bytesToFetch = 0;
  for (const [index, diffId] of config.diffIds.entries()) {
    const descriptor = manifest.layers[index];
    if (descriptor === undefined) throw new Error('internal error: more diff ids than layers');
    let isPresent = present.get(diffId);
    if (isPresent === undefined) {
      isPresent = await store.hasLayer(diffId);
      present.set(diffId, isPresent);
      if (!isPresent) bytesToFetch += descriptor.size;
    }
    layers.push({ descriptor, diffId, present: isPresent });
  }
  return {
    sourceName: source.name,
    storeName: source.storeName,
    digest,
    topDigest,
    manifest,
    manifestBytes: bytes,
    config,
    configBytes,
    layers,
    bytesToFetch,
    trust: verdict.record,
    evidence: verdict.evidence,
    alreadyPresent:
      stored !== undefined &&
      stored.names.includes(source.storeName) &&
      layers.every((layer) => layer.present),
  };
}

/** Reads the configuration that a manifest names, verified; or takes what the manifest embeds. */
export async function readImageConfig(
  source: ImageSource,
  options: { readonly manifest: ImageManifest; readonly signal: AbortSignal },
): Promise<{ readonly config: ImageConfig; readonly configBytes: Uint8Array }> {
  const { manifest, signal } = options;
  const descriptor = manifest.config;
  const what = `the configuration of ${quote(source.name)}`;
  if (descriptor.size > MAX_IMAGE_CONFIG_BYTES) {
    throw new OperationalError(
      'LIMIT_EXCEEDED',
      `${what} has ${descriptor.size} bytes, more than the ${MAX_IMAGE_CONFIG_BYTES} that berth reads`,
    );
  }
  try {
    const configBytes = descriptor.data ?? (await readBlob(source, descriptor, signal));
    return { config: parseImageConfig(configBytes, { what, manifest }), configBytes };
  } catch (error) {
    throw addContext(`cannot read ${what}`, error);
  }
}

async function readBlob(
  source: ImageSource,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<Uint8Array> {
  await using blob = await source.openBlob(descriptor, { signal });
  return await readVerified(blob, descriptor);
}
