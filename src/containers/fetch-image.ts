import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { findLackOfRoom } from '../images/check-room.js';
import { executePull, type ExecutePullOptions, type PullProgress } from '../images/execute-pull.js';
import { PartialDownloads } from '../images/partial-downloads.js';
import { preparePull, type PreparePullOptions, type PullPlan } from '../images/prepare-pull.js';
import { previewTree } from '../images/preview-tree.js';
import { readPlatformOf } from '../images/tree-platform.js';
import type { Digest } from '../oci/digest.js';
import type { ImageConfig } from '../oci/image-config.js';
import { parsePlatform } from '../oci/parse-platform.js';
import type { Platform } from '../oci/platform.js';
import { formatPlatform, isCompatible } from '../oci/select-platform.js';
import { partsOf } from '../store/combined-store.js';
import type { ImageStore, ImageTree, StorageKind, StoredImage } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { TrustRecord } from '../trust/image-trust.js';
import { KeptSignatures } from '../trust/kept-signatures.js';
import { freshnessOf, type Freshness } from './freshness.js';
import type { Host } from './host.js';
import type { FetchPlan } from './install-plan.js';
import { recordedReference } from './recorded-reference.js';

/** Which image, and for which platform. */
export interface ImageChoice {
  readonly reference: string;
  /** `OS/ARCH[/VARIANT]`; that of the host, or of the tree that is worked on, unless given. */
  readonly platform: string | undefined;
  /** Whether only the store is asked: no registry, archive or layout is. */
  readonly noPull?: boolean | undefined;
  /** Layers side by side; as many as is good unless given. */
  readonly parallel?: number | undefined;
  readonly onProgress: (progress: PullProgress) => void;
}

/** An image whose content can be read. */
export interface FetchedImage {
  /** What to record of the name that it was asked for by: what that meant. */
  readonly reference: string;
  readonly digest: Digest;
  readonly storeName: string;
  readonly config: ImageConfig;
  /** Where it is, or would be put. */
  readonly storage: StorageKind;
  /** Why it may be taken. */
  readonly trust: TrustRecord;
  /** How new it is; undefined where nobody has signed it. */
  readonly freshness: Freshness | undefined;
  readonly tree: ImageTree;
  readonly fetch: FetchPlan;
}

/** How {@link fetchImage} goes about it. */
export interface FetchOptions {
  /** Read through the image without putting anything into the store. */
  readonly preview: boolean;
  /** With `preview`: makes the package databases readable too, for a comparison with what is installed. */
  readonly previewPackages?: boolean;
  /** Called as soon as the digest is known, before any layer is fetched; may throw. */
  acceptDigest(digest: Digest): void;
}

/**
 * Gets an image ready to be installed: from the store where it is there under this name already (no network is needed
 * then), else from its source.
 */
export async function fetchImage(
  host: Host,
  choice: ImageChoice,
  options: FetchOptions,
): Promise<FetchedImage> {
  const fetched = await fetchImageIf(host, choice, {
    ...options,
    fresh: false,
    wants: (digest) => {
      options.acceptDigest(digest);
      return true;
    },
  });
  if (fetched === undefined) throw new Error('internal error: the image was wanted');
  return fetched;
}

/** How {@link fetchImageIf} goes about it. */
export interface FetchIfOptions extends Omit<FetchOptions, 'acceptDigest'> {
  /** Asks the source what the name means now, whatever the store has under it. */
  readonly fresh: boolean;
  /** With `fresh`: takes what the store has under the name where its source gives nothing, with a warning. */
  readonly orStored?: boolean;
  /** Asked as soon as the digest is known: what is not wanted is not fetched. `reference` is what the name meant. */
  wants(digest: Digest, reference: string): boolean;
  /** Gets how new a signed image is that is wanted, before any layer is fetched; may throw. */
  judge?(freshness: Freshness | undefined, reference: string): void;
}

/** As {@link fetchImage}; undefined where the image is not wanted. */
export async function fetchImageIf(
  host: Host,
  choice: ImageChoice,
  options: FetchIfOptions,
): Promise<FetchedImage | undefined> {
  const platform =
    choice.platform === undefined ? readPlatformOf(host.paths) : parsePlatform(choice.platform);
  await using source = await host.openSource(choice.reference, { preferStored: true });
  const reference = recordedReference(choice.reference, source.storeName);
  const fetched = await fetchFrom(
    host,
    { choice, source, platform },
    {
      ...options,
      wants: (digest) => options.wants(digest, reference),
      judge: (freshness) => options.judge?.(freshness, reference),
    },
  );
  return fetched === undefined ? undefined : { ...fetched, reference };
}

/** {@link FetchIfOptions} of a reference that is known. */
interface FetchFromOptions extends Omit<FetchIfOptions, 'wants' | 'judge'> {
  wants(digest: Digest): boolean;
  judge(freshness: Freshness | undefined): void;
}

async function fetchFrom(
  host: Host,
  from: {
    readonly choice: ImageChoice;
    readonly source: ImageSource;
    readonly platform: Platform;
  },
  options: FetchFromOptions,
): Promise<Omit<FetchedImage, 'reference'> | undefined> {
  const { choice, source, platform } = from;
  const store = await host.openStore();
  const stored = await store.findImage(source.storeName);
  if (choice.noPull === true) return await fetchStored(host, { stored, source, platform }, options);
  // Only registries are slow or away; a layout or archive may have changed under its name.
  if (
    stored !== undefined &&
    !options.fresh &&
    source.name.startsWith('docker://') &&
    isCompatible(stored.config.platform, platform)
  ) {
    if (!options.wants(stored.digest)) return undefined;
    const taken = await takeStored(host, stored, { source, preview: options.preview });
    if (taken !== undefined) return taken;
  }
  const [target = store] = partsOf(store);
  const away =
    options.orStored === true &&
    stored !== undefined &&
    isCompatible(stored.config.platform, platform)
      ? stored
      : undefined;
  const plan = await prepareUnlessAway(host, away, () =>
    prepare(host, source, { store: target, platform }),
  );
  if (plan === undefined) {
    if (away === undefined || !options.wants(away.digest)) return undefined;
    const { preview } = options;
    return (await takeStored(host, away, { source, preview })) ?? refuseUnhashed(source);
  }
  const freshness = freshnessOf(plan, host.nowMs());
  warnOfAge(host, source, freshness);
  if (!options.wants(plan.digest)) return undefined;
  options.judge(freshness);
  const fetch = describeFetch(plan);
  if (options.preview && fetch.missingLayers > 0) {
    await warnOfRoom(host, plan, target);
    const tree = await previewTree(plan, {
      source,
      signal: host.signal,
      onProgress: choice.onProgress,
      keepPackages: options.previewPackages,
    });
    const { digest, storeName, config, trust } = plan;
    return { digest, storeName, config, trust, freshness, storage: target.kind, tree, fetch };
  }
  if (fetch.missingLayers > 0)
    host.onEvent({ kind: 'step', text: `Pulling ${quote(source.name)}` });
  const pulled = await executePull(plan, pullOptions(host, { choice, store: target, source }));
  const { storeName, trust } = plan;
  await keptSignatures(host).write(pulled.digest, plan.evidence);
  return { ...(await fromStore(host, pulled)), storeName, trust, freshness, fetch };
}

/** An image of the store, as {@link fetchImageIf} gives it. */
async function fetchStored(
  host: Host,
  image: {
    readonly stored: StoredImage | undefined;
    readonly source: ImageSource;
    readonly platform: Platform;
  },
  options: FetchFromOptions,
): Promise<Omit<FetchedImage, 'reference'> | undefined> {
  const { stored, source, platform } = image;
  const hint = "without '--no-pull' it is fetched";
  if (stored === undefined)
    throw new OperationalError(
      'IMAGE_NOT_FOUND',
      `there is no image ${quote(source.storeName)} in the store`,
      { hint },
    );
  if (!isCompatible(stored.config.platform, platform))
    throw new OperationalError(
      'PLATFORM_NOT_FOUND',
      `${quote(source.storeName)} is in the store for ${formatPlatform(stored.config.platform)} alone, not for ${formatPlatform(platform)}`,
      { hint },
    );
  if (!options.wants(stored.digest)) return undefined;
  const taken = await takeStored(host, stored, { source, preview: options.preview });
  if (taken === undefined) return refuseUnhashed(source);
  options.judge(taken.freshness);
  return taken;
}

async function prepare(
  host: Host,
  source: ImageSource,
  options: Pick<PreparePullOptions, 'store' | 'platform'>,
): Promise<PullPlan> {
  const { signal } = host;
  return await preparePull(source, { ...options, trust: await host.openTrust(), signal });
}

/**
 * What the store has is held to the policy as it is now: it may have been pulled under another one. Undefined where that asks for
 * signatures, and the files are what an OSTree repository said: it may have said so beside a manifest that somebody signed.
 */
async function takeStored(
  host: Host,
  image: StoredImage,
  { source, preview }: { readonly source: ImageSource; readonly preview: boolean },
): Promise<Omit<FetchedImage, 'reference'> | undefined> {
  const checker = await host.openTrust();
  const { digest } = image;
  const kept = await keptSignatures(host).read(digest);
  const { record: trust, evidence } = await checker.check(
    { source, digest, isTop: true, kept },
    host.signal,
  );
  if (trust.signatures.length > 0 && !(await isHashed(host, image))) return undefined;
  // Others than were kept: the policy has changed since.
  if (!preview && evidence.some((one) => !kept.includes(one)))
    await keptSignatures(host).write(digest, evidence);
  const freshness = freshnessOf({ ...image, trust }, host.nowMs());
  warnOfAge(host, source, freshness);
  return { ...(await fromStore(host, image)), storeName: source.storeName, trust, freshness };
}

function keptSignatures({ paths }: Host): KeptSignatures {
  return new KeptSignatures(paths.onDisk(paths.signaturesDir));
}

/** A registry that hands out for months what it had looks like one that has nothing new. */
function warnOfAge(host: Host, { name }: ImageSource, freshness: Freshness | undefined): void {
  const maxMs = host.conf.trust['max-age'];
  const atMs = freshness?.signedAtMs ?? freshness?.createdAtMs;
  if (maxMs === undefined || atMs === undefined || host.nowMs() - atMs <= maxMs) return;
  const how = freshness?.signedAtMs === undefined ? 'built' : 'signed';
  const days = Math.floor((host.nowMs() - atMs) / 86_400_000);
  const text = `${quote(name)} was ${how} ${days} days ago, longer than max-age of berth.conf: its registry may not give what is new`;
  host.onEvent({ kind: 'warning', text });
}

/** A plan is shown also where there is no room to carry it out yet. */
async function warnOfRoom(host: Host, plan: PullPlan, store: ImageStore): Promise<void> {
  if (!host.conf.storage['check-space']) return;
  const lack = await findLackOfRoom(plan, { store });
  if (lack === undefined) return;
  const text = lack.mayFit ? lack.message : `${lack.message}: it cannot be carried out`;
  host.onEvent({ kind: 'warning', text });
}

/** Whether the archives of all layers were hashed, so that the manifest speaks of the files. */
async function isHashed(host: Host, { config, storage }: StoredImage): Promise<boolean> {
  const all = partsOf(await host.openStore());
  const store = all.find(({ kind }) => kind === storage);
  for (const diffId of config.diffIds) if ((await store?.hasLayer(diffId)) !== true) return false;
  return true;
}

function refuseUnhashed({ name }: ImageSource): never {
  throw new OperationalError(
    'SIGNATURE_INVALID',
    `the policy asks for a signature of ${quote(name)}, and none speaks of files that were taken over from an OSTree repository`,
    { hint: "'berth pull' fetches the image from its registry" },
  );
}

/** The plan of a pull; undefined where its source gives none and there is something else to take, of which is warned. */
async function prepareUnlessAway(
  host: Host,
  stored: StoredImage | undefined,
  prepare: () => Promise<PullPlan>,
): Promise<PullPlan | undefined> {
  try {
    return await prepare();
  } catch (error) {
    const isAway =
      error instanceof OperationalError &&
      error.code !== 'CANCELLED' &&
      !error.code.startsWith('SIGNATURE_');
    if (!isAway || stored === undefined) throw error;
    const text = `${error.message}; taking ${stored.digest}, which the store has under this name`;
    host.onEvent({ kind: 'warning', text });
    return undefined;
  }
}

/** What {@link pullImage} gives. */
export interface PulledImage {
  readonly image: StoredImage;
  readonly fetch: FetchPlan;
  /** Whether the store had it, under this name, before. */
  readonly alreadyPresent: boolean;
  /** Why it was taken. */
  readonly trust: TrustRecord;
}

/** Pulls an image into the store, asking its source what the name means now. */
export async function pullImage(host: Host, choice: ImageChoice): Promise<PulledImage> {
  const platform: Platform =
    choice.platform === undefined ? readPlatformOf(host.paths) : parsePlatform(choice.platform);
  await using source = await host.openSource(choice.reference);
  const all = await host.openStore();
  const [store = all] = partsOf(all);
  const plan = await prepare(host, source, { store, platform });
  warnOfAge(host, source, freshnessOf(plan, host.nowMs()));
  const image = await executePull(plan, pullOptions(host, { choice, store, source }));
  await keptSignatures(host).write(image.digest, plan.evidence);
  const { alreadyPresent, trust } = plan;
  return { image, fetch: describeFetch(plan), alreadyPresent, trust };
}

function pullOptions(
  host: Host,
  from: {
    readonly choice: ImageChoice;
    readonly store: ImageStore;
    readonly source: ImageSource;
  },
): ExecutePullOptions {
  const { choice, store, source } = from;
  return {
    store,
    source,
    signal: host.signal,
    partials: new PartialDownloads(host.paths.onDisk(host.paths.partialDir)),
    parallel: choice.parallel ?? host.conf.network.parallel,
    checkSpace: host.conf.storage['check-space'],
    onProgress: choice.onProgress,
    onWarning: (text) => {
      host.onEvent({ kind: 'warning', text });
    },
    onResume: (layer, bytes) => {
      const text = `Going on with ${layer.digest.slice(0, 19)}: ${bytes} of ${layer.size} bytes are there`;
      host.onEvent({ kind: 'step', text });
    },
  };
}

async function fromStore(
  host: Host,
  image: StoredImage,
): Promise<Omit<FetchedImage, 'reference' | 'storeName' | 'trust' | 'freshness'>> {
  const store = await host.openStore();
  return {
    digest: image.digest,
    config: image.config,
    storage: image.storage,
    tree: await store.openTree(image),
    fetch: { layers: image.config.diffIds.length, missingLayers: 0, missingBytes: 0 },
  };
}

function describeFetch(plan: PullPlan): FetchPlan {
  return {
    layers: plan.layers.length,
    missingLayers: plan.layers.filter((layer) => !layer.present).length,
    missingBytes: plan.bytesToFetch,
  };
}
