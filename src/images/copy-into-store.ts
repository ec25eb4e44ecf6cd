import type { Platform } from '../oci/platform.js';
import type { ImageStore } from '../store/image-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { ImageTrust } from '../trust/image-trust.js';
import type { CopyProgress, CopyResult } from './copy-image.js';
import { executePull, type PullProgress } from './execute-pull.js';
import { preparePull } from './prepare-pull.js';

/** What {@link copyIntoStore} takes. */
export interface CopyIntoStoreOptions {
  readonly source: ImageSource;
  readonly store: ImageStore;
  /** The name that the image gets there. */
  readonly storeName: string;
  readonly platform: Platform;
  readonly trust: ImageTrust;
  readonly parallel?: number | undefined;
  readonly checkSpace?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Copies an image for one platform into a store, where it has its layers as trees: as a pull does, under a name of its own.
 *
 * @throws OperationalError what the source, the content or the store give rise to
 */
export async function copyIntoStore(options: CopyIntoStoreOptions): Promise<CopyResult> {
  const { source, store, storeName, signal, parallel, checkSpace, onProgress, onWarning } = options;
  const plan = { ...(await preparePull(source, options)), storeName };
  const fetched = new Set(plan.layers.filter((layer) => !layer.present).map((one) => one.diffId));
  const { digest } = await executePull(plan, {
    store,
    source,
    signal,
    parallel,
    checkSpace,
    onWarning,
    onProgress: (event) => onProgress?.({ ...event, blob: event.layer, phase: phaseOf(event) }),
  });
  return {
    digest,
    manifests: 1,
    blobs: new Set(plan.layers.map(({ diffId }) => diffId)).size + 1,
    copiedBlobs: fetched.size + 1,
    copiedBytes: plan.bytesToFetch + plan.configBytes.length,
  };
}

function phaseOf({ phase }: PullProgress): CopyProgress['phase'] {
  return phase === 'present' || phase === 'done' ? phase : 'copying';
}
