import { prepareForPull } from '../base/engine-flags.js';
import { quote } from '../base/escape-text.js';
import { formatBytes } from '../base/format-bytes.js';
import { AsyncScope } from '../base/scope.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { OperationalError } from '../errors/operational-error.js';
import { addContext } from '../errors/with-context.js';
import { applyLayer } from '../layer/apply-layer.js';
import type { LayerLimits } from '../layer/limits.js';
import { ContentMismatchError } from '../oci/content-mismatch-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { ImageStore, StoredImage } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import { checkRoom } from './check-room.js';
import { Download } from './download.js';
import type { PartialDownloads } from './partial-downloads.js';
import type { PlannedLayer, PullPlan } from './prepare-pull.js';
import { RepositorySource } from './repository-source.js';
import { runSideBySide } from './run-side-by-side.js';

/** Layers that are fetched side by side: enough to keep decompressing while another connection is slow. */
export const DEFAULT_PARALLEL_LAYERS = 4;

/** What happens to a layer. */
export interface PullProgress {
  readonly layer: Descriptor;
  /** `present`: nothing to do; `waiting`; `fetching`: bytes come; `storing`: all came, being made durable; `done`. */
  readonly phase: 'present' | 'waiting' | 'fetching' | 'storing' | 'done';
  /** Compressed bytes so far. */
  readonly bytes: number;
  readonly total: number;
}

/** What executing a pull takes. */
export interface ExecutePullOptions {
  readonly store: Pick<
    ImageStore,
    'hasLayer' | 'reserveLayer' | 'beginLayer' | 'addImage' | 'findImage' | 'folder'
  >;
  readonly source: ImageSource;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Called for what is odd in a layer and changes nothing. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly limits?: LayerLimits | undefined;
  /** Where what came of a blob is kept until all of it is there; nothing is kept unless given. */
  readonly partials?: PartialDownloads | undefined;
  /** Called where a layer goes on from what an earlier pull left of it, with how many bytes of it are there. */
  readonly onResume?: ((layer: Descriptor, bytes: number) => void) | undefined;
  /** Called with how much of a layer is kept of a download that broke off. */
  readonly onKept?: ((bytes: number) => void) | undefined;
  /** Damaged objects of the store that the layers are to replace. */
  readonly replace?: ReadonlySet<string> | undefined;
  /** How many layers are fetched side by side; {@link DEFAULT_PARALLEL_LAYERS} unless given. */
  readonly parallel?: number | undefined;
  /** Whether to look for room before anything is fetched; true unless given. */
  readonly checkSpace?: boolean | undefined;
}

/**
 * Carries a plan out: fetches the missing layers side by side, each straight into the store, and records the image once all are
 * there. When one layer fails the others are stopped, and its error is what comes out; layers that were finished stay in
 * the store, so that the next pull goes on from there.
 *
 * @throws {@link OperationalError} DISK_FULL before anything is fetched where it does not fit; what the source, the content or the store give rise to
 */
export async function executePull(
  plan: PullPlan,
  options: ExecutePullOptions,
): Promise<StoredImage> {
  const { store, onProgress } = options;
  const missing = new Map<Digest, PlannedLayer>();
  for (const layer of plan.layers) {
    const known = layer.present || missing.has(layer.diffId);
    onProgress?.(progressOf(layer, known ? 'present' : 'waiting'));
    if (!known) missing.set(layer.diffId, layer);
  }
  if (missing.size > 0 && options.checkSpace !== false) await checkRoom(plan, options);
  const parallel = options.parallel ?? DEFAULT_PARALLEL_LAYERS;
  const { signal: stop } = options;
  let keptBytes = 0;
  const onKept = (bytes: number): void => {
    keptBytes += bytes;
  };
  try {
    await runSideBySide([...missing.values()], { signal: stop, parallel }, (layer, signal) =>
      pullLayer(layer, { ...options, signal, onKept }).catch((error: unknown) => {
        const position = plan.layers.indexOf(layer) + 1;
        throw addContext(
          `cannot pull ${quote(plan.storeName)}: layer ${position} of ${plan.layers.length} failed`,
          error,
        );
      }),
    );
  } catch (error) {
    throw keptBytes > 0 ? withHint(error, keptBytes) : error;
  }
  return store.addImage({
    digest: plan.digest,
    manifestBytes: plan.manifestBytes,
    configBytes: plan.configBytes,
    manifest: plan.manifest,
    config: plan.config,
    names: [plan.storeName],
  });
}

function withHint(error: unknown, keptBytes: number): unknown {
  if (!(error instanceof OperationalError) || error.hint !== undefined) return error;
  return new OperationalError(error.code, error.message, {
    hint: `${formatBytes(keptBytes)} of what came are kept: the same command goes on from there`,
    cause: error.cause,
  });
}

/** Pulls a layer, and where a mirror gave something else than was promised, pulls it once more from elsewhere. */
async function pullLayer(layer: PlannedLayer, options: ExecutePullOptions): Promise<void> {
  const { store, signal, onProgress } = options;
  await using scope = new AsyncScope();
  scope.use(await store.reserveLayer(layer.diffId, { signal }));
  // Another berth may have brought it since the plan was made.
  if (await store.hasLayer(layer.diffId)) {
    onProgress?.(progressOf(layer, 'present'));
    return;
  }
  await fetchLayer(layer, options);
}

/** Fetches a layer into the store, whether it is there or not. */
export async function fetchLayer(layer: PlannedLayer, options: ExecutePullOptions): Promise<void> {
  const { source, signal, onWarning } = options;
  const { descriptor } = layer;
  const keeps = source.resumes === true && descriptor.data === undefined;
  await using partial = keeps ? await options.partials?.open(descriptor) : undefined;
  for (;;) {
    const download = new Download(source, { descriptor, partial });
    try {
      await takeLayer(layer, download, options);
      return;
    } catch (error) {
      if (isInterruption(error, signal)) {
        options.onKept?.(partial?.keptBytes ?? 0);
        throw error;
      }
      await partial?.clear();
      if (!(error instanceof ContentMismatchError)) throw error;
      if (download.resumedBytes > 0) {
        onWarning?.(`what was left of an earlier download is of no use, fetching it whole`);
      } else if (source.rejectBlob?.(descriptor) === true) {
        onWarning?.(`a mirror gave wrong content, asking elsewhere: ${error.message}`);
      } else {
        throw error;
      }
    }
  }
}

async function takeLayer(
  layer: PlannedLayer,
  download: Download,
  options: ExecutePullOptions,
): Promise<void> {
  const { store, signal, onProgress, onWarning, onResume, limits } = options;
  const { descriptor, diffId } = layer;
  const { replace, source } = options;
  const takenOver = source instanceof RepositorySource;
  await using transaction = await store.beginLayer(diffId, {
    replace,
    takenOver,
    blobBytes: descriptor.size,
  });
  const { sink } = transaction;
  let isFirst = true;
  const tell = (bytes: number): void => {
    if (isFirst) prepareForPull();
    isFirst = false;
    onProgress?.(progressOf(layer, 'fetching', Math.min(bytes, descriptor.size)));
  };
  if (takenOver) {
    await source.giveLayer(layer, { sink, signal, onProgress: tell });
  } else {
    await using blob = download.open(signal, (bytes) => onResume?.(descriptor, bytes));
    await applyLayer({
      source: blob,
      descriptor,
      diffId,
      sink,
      signal,
      limits,
      onProgress: tell,
      onWarning,
    });
    // All came, and syncing the file system would write it to the disk once more.
    await download.forget();
  }
  onProgress?.(progressOf(layer, 'storing', descriptor.size));
  await transaction.commit();
  onProgress?.(progressOf(layer, 'done', descriptor.size));
}

/** Failures after which the same bytes may go on: they say nothing of those that came. */
const INTERRUPTIONS: readonly ErrorCode[] = [
  'CANCELLED',
  'REGISTRY_NOT_FOUND',
  'REGISTRY_PROTOCOL',
  'REGISTRY_REDIRECT',
  'REGISTRY_TEMPORARY',
  'REGISTRY_TLS',
  'REGISTRY_UNAUTHORIZED',
  'REGISTRY_UNREACHABLE',
];

/** A layer that stops because another one failed is interrupted too, unless the disk is full: then nothing is kept on it. */
function isInterruption(error: unknown, signal: AbortSignal): boolean {
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (cause instanceof OperationalError && cause.code === 'DISK_FULL') return false;
  return (
    signal.aborted || (error instanceof OperationalError && INTERRUPTIONS.includes(error.code))
  );
}

function progressOf(
  { descriptor }: PlannedLayer,
  phase: PullProgress['phase'],
  bytes = 0,
): PullProgress {
  return { layer: descriptor, phase, bytes, total: descriptor.size };
}
