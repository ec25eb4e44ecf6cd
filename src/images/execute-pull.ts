import { quote } from '../base/escape-text.js';
import { AsyncScope } from '../base/scope.js';
import { addContext } from '../errors/with-context.js';
import { applyLayer } from '../layer/apply-layer.js';
import type { LayerLimits } from '../layer/limits.js';
import { ContentMismatchError } from '../oci/content-mismatch-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { ImageStore, StoredImage } from '../store/image-store.js';
import type { BlobStream, ImageSource } from '../transport/image-source.js';
import type { PlannedLayer, PullPlan } from './prepare-pull.js';
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
  readonly store: Pick<ImageStore, 'hasLayer' | 'reserveLayer' | 'beginLayer' | 'addImage'>;
  readonly source: ImageSource;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Called for what is odd in a layer and changes nothing. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly limits?: LayerLimits | undefined;
  /** Damaged objects of the store that the layers are to replace. */
  readonly replace?: ReadonlySet<string> | undefined;
  /** How many layers are fetched side by side; {@link DEFAULT_PARALLEL_LAYERS} unless given. */
  readonly parallel?: number | undefined;
}

/**
 * Carries a plan out: fetches the missing layers side by side, each straight into the store, and records the image once all are
 * there. When one layer fails the others are stopped, and its error is what comes out; layers that were finished stay in
 * the store, so that the next pull goes on from there.
 *
 * @throws {@link OperationalError} what the source, the content or the store give rise to
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
  const parallel = options.parallel ?? DEFAULT_PARALLEL_LAYERS;
  const { signal: stop } = options;
  await runSideBySide([...missing.values()], { signal: stop, parallel }, async (layer, signal) => {
    try {
      await pullLayer(layer, { ...options, signal });
    } catch (error) {
      const position = plan.layers.indexOf(layer) + 1;
      throw addContext(
        `cannot pull ${quote(plan.storeName)}: layer ${position} of ${plan.layers.length} failed`,
        error,
      );
    }
  });
  return store.addImage({
    digest: plan.digest,
    manifestBytes: plan.manifestBytes,
    configBytes: plan.configBytes,
    manifest: plan.manifest,
    config: plan.config,
    names: [plan.storeName],
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
  const { source, onWarning } = options;
  for (;;) {
    try {
      await takeLayer(layer, options);
      return;
    } catch (error) {
      const isWrong = error instanceof ContentMismatchError;
      if (!isWrong || source.rejectBlob?.(layer.descriptor) !== true) throw error;
      onWarning?.(`a mirror gave wrong content, asking elsewhere: ${error.message}`);
    }
  }
}

async function takeLayer(layer: PlannedLayer, options: ExecutePullOptions): Promise<void> {
  const { store, source, signal, onProgress, onWarning, limits } = options;
  const { descriptor, diffId } = layer;
  const { replace } = options;
  await using transaction = await store.beginLayer(
    diffId,
    replace === undefined ? {} : { replace },
  );
  await using blob = await openContent(source, descriptor, signal);
  await applyLayer({
    source: blob,
    descriptor,
    diffId,
    sink: transaction.sink,
    signal,
    limits,
    onProgress: (bytes) => onProgress?.(progressOf(layer, 'fetching', bytes)),
    onWarning,
  });
  onProgress?.(progressOf(layer, 'storing', descriptor.size));
  await transaction.commit();
  onProgress?.(progressOf(layer, 'done', descriptor.size));
}

async function openContent(
  source: ImageSource,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<BlobStream> {
  const { data } = descriptor;
  if (data === undefined) return await source.openBlob(descriptor, { signal });
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- the shape of a flow, of what is there already
    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
      yield data;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      // memory has nothing to close
    },
  };
}

function progressOf(
  { descriptor }: PlannedLayer,
  phase: PullProgress['phase'],
  bytes = 0,
): PullProgress {
  return { layer: descriptor, phase, bytes, total: descriptor.size };
}
