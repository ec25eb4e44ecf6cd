import { prune as pruneRepository, setRef, type Checksum } from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Digest } from '../../oci/digest.js';
import type { PruneResult } from '../image-store.js';
import type { CommitCatalogue, LayerCommit } from './commit-catalogue.js';
import type { ImageCommit, ImageCommits } from './image-commits.js';
import { filesOf } from './layer-files.js';
import type { LayerReader } from './layer-reader.js';
import { blobRef, parseImageRef } from './ref-names.js';
import type { RepositoryPlace } from './repository-place.js';

/** What {@link prune} works on. The caller holds the repository alone among stores. */
export interface PruneScope {
  readonly place: RepositoryPlace;
  readonly catalogue: CommitCatalogue;
  readonly images: ImageCommits;
  readonly layers: LayerReader;
  /** Manifests of images that stay although they have no name. */
  readonly keep: ReadonlySet<Digest>;
}

/**
 * Removes the refs of images without names, then those of the blobs that no image has, then what no ref of the repository
 * leads to. Refs that are not images' are left alone, and what they lead to. What is damaged among the things that stay
 * stops it: nobody can say what they need.
 */
export async function prune(scope: PruneScope): Promise<PruneResult> {
  const { place, catalogue, images, keep } = scope;
  const repo = place.repo;
  const all = images.list((_, error) => {
    throw error;
  });
  const gone = all.filter(({ digest, names }) => names.length === 0 && !keep.has(digest));
  const stay = all.filter((image) => !gone.includes(image));
  const { blobs, layers } = neededBy(stay, images);
  const doomed = catalogue
    .layers()
    .filter(({ ref, diffId }) => !blobs.has(ref) && !layers.has(diffId));
  const objects = countObjects(scope, doomed, layers);
  const refs = new Set(gone.flatMap((image) => image.refs));
  const staying = new Set(stay.flatMap((image) => image.refs));
  for (const ref of catalogue.refs().keys()) {
    const kind = parseImageRef(ref)?.kind;
    const isBlob = kind === 'blob' || kind === 'taken-over';
    if (isBlob && !blobs.has(ref) && !staying.has(ref)) refs.add(ref);
  }
  for (const { ref, diffId } of catalogue.layers()) if (layers.has(diffId)) refs.delete(ref);
  for (const ref of refs) await setRef(repo, { ref, checksum: undefined });
  const { bytesPruned } = await pruneRepository(repo, { refsOnly: true });
  return {
    images: gone.length,
    layers: new Set(doomed.map(({ diffId }) => diffId)).size,
    objects,
    freedBytes: bytesPruned,
  };
}

/** Refs of the blobs that images list, and the diff ids of their layers. */
function neededBy(
  staying: readonly ImageCommit[],
  images: ImageCommits,
): { readonly blobs: ReadonlySet<string>; readonly layers: ReadonlySet<Digest> } {
  const blobs = new Set<string>();
  const layers = new Set<Digest>();
  for (const commit of staying) {
    const { manifest, config } = images.read(commit);
    for (const { digest } of [manifest.config, ...manifest.layers]) blobs.add(blobRef(digest));
    for (const diffId of config.diffIds) layers.add(diffId);
  }
  return { blobs, layers };
}

/** How many files' contents go, as far as the layers that have them can be read. */
function countObjects(
  { catalogue, layers: reader }: PruneScope,
  doomed: readonly LayerCommit[],
  stay: ReadonlySet<Digest>,
): number {
  const going = new Set<Checksum>();
  for (const layer of doomed) {
    for (const object of objectsIn(reader, layer)) going.add(object);
  }
  if (going.size === 0) return 0;
  for (const layer of catalogue.layers()) {
    if (!stay.has(layer.diffId)) continue;
    for (const object of filesOf(reader.readCommit(layer).root).keys()) going.delete(object);
  }
  return going.size;
}

function objectsIn(reader: LayerReader, layer: LayerCommit): Iterable<Checksum> {
  try {
    return filesOf(reader.readCommit(layer).root).keys();
  } catch (error) {
    if (error instanceof OperationalError) return []; // it goes, and what it was does not matter
    throw error;
  }
}
