import { applyLayer } from '../layer/apply-layer.js';
import type { Digest } from '../oci/digest.js';
import type { ImageTree } from '../store/image-store.js';
import {
  createMemoryLayerSink,
  mergeMemoryLayers,
  type MemoryLayer,
} from '../store/memory-layer.js';
import type { ImageSource } from '../transport/image-source.js';
import type { PullProgress } from './execute-pull.js';
import { PACKAGE_DATABASES } from './packages/read-packages.js';
import type { PlannedLayer, PullPlan } from './prepare-pull.js';
import { RepositorySource } from './repository-source.js';

/**
 * Most bytes of file content that a preview keeps in memory: what a plan reads of /exports, and the accounts, have 100 KiB;
 * the package database of a large image has 60 MiB.
 */
const MAX_KEPT_BYTES = 192 * 1024 * 1024;

/** Largest package database that is kept; of a larger one the plan says that it was not read. */
const MAX_KEPT_DATABASE_BYTES = 64 * 1024 * 1024;

/** Largest file whose content is kept; what a plan reads has smaller limits of its own. */
const MAX_KEPT_FILE_BYTES = 4 * 1024 * 1024;

/** What a plan reads: everything in /exports, and the accounts wherever a merged /etc keeps them. */
const WANTED = /^(?:exports\/|(?:usr\/)?(?:etc|lib)\/(?:passwd|group)$)/;

/** What {@link previewTree} reads from, and whom it tells. */
export interface PreviewOptions {
  readonly source: ImageSource;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
  /** Keeps the databases of the image's packages too: for a comparison. */
  readonly keepPackages?: boolean | undefined;
}

/**
 * The tree of an image that is not in the store, with the content of what an install plan reads: all layers are read
 * through and verified, nothing is written anywhere.
 *
 * @throws OperationalError what the source or the layers give rise to
 */
export async function previewTree(plan: PullPlan, options: PreviewOptions): Promise<ImageTree> {
  const read = new Map<Digest, MemoryLayer>();
  for (const layer of plan.layers) {
    if (!read.has(layer.diffId)) read.set(layer.diffId, await readLayer(layer, options));
  }
  return mergeMemoryLayers(
    plan.layers.map(({ diffId }) => read.get(diffId)).filter((layer) => layer !== undefined),
  );
}

async function readLayer(layer: PlannedLayer, options: PreviewOptions): Promise<MemoryLayer> {
  const { source, signal, onProgress, keepPackages } = options;
  const { descriptor, diffId } = layer;
  const total = descriptor.size;
  const { sink, finish } = createMemoryLayerSink({
    keep: (path, size) =>
      (size <= MAX_KEPT_FILE_BYTES && WANTED.test(path)) ||
      (keepPackages === true && size <= MAX_KEPT_DATABASE_BYTES && PACKAGE_DATABASES.test(path)),
    maxKeptBytes: MAX_KEPT_BYTES,
  });
  const tell = (bytes: number): void => {
    onProgress({ layer: descriptor, phase: 'fetching', bytes: Math.min(bytes, total), total });
  };
  if (source instanceof RepositorySource) {
    await source.giveLayer(layer, { sink, signal, onProgress: tell });
  } else {
    await using blob = await source.openBlob(descriptor, { signal });
    await applyLayer({ source: blob, descriptor, diffId, sink, signal, onProgress: tell });
  }
  onProgress({ layer: descriptor, phase: 'done', bytes: total, total });
  return finish();
}
