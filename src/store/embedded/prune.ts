import { lstatSync, unlinkSync } from 'node:fs';

import { syncFolder } from '../../base/atomic-file.js';
import type { Digest } from '../../oci/digest.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import type { PruneResult } from '../image-store.js';
import { namesIn, type ImageRecords } from './image-records.js';
import type { LayerRecords } from './layer-records.js';
import { OBJECT_FOLDERS } from './object-name.js';
import { objectsOf } from './objects-of.js';
import type { StorePlace } from './store-place.js';
import { removeLeftovers } from '../temp-area.js';

/** What {@link prune} works on. The caller holds the store exclusively. */
export interface PruneScope {
  readonly place: StorePlace;
  readonly images: ImageRecords;
  readonly layers: LayerRecords;
  /** Manifests of images that stay although they have no name. */
  readonly keep: ReadonlySet<Digest>;
}

/**
 * Removes images without names, then the layers that no image has, then the objects that no layer has; each step durable
 * before the next, so that what is left never refers to what is gone. What is damaged among the things that stay stops it:
 * nobody can say what they need.
 */
export async function prune(scope: PruneScope): Promise<PruneResult> {
  const { place } = scope;
  removeLeftovers(place.path('tmp'));
  const images = await pruneImages(scope);
  const layers = await pruneLayers(scope);
  const objects = await pruneObjects(scope);
  // Nothing would refer to them, but space that was reported as free has to be so after a power cut, too.
  if (objects.objects > 0) await syncFileSystemOf(place.root);
  return { images, layers, ...objects };
}

async function pruneImages({ place, images, keep }: PruneScope): Promise<number> {
  const named = await images.names((_, error) => {
    throw error;
  });
  const stay = new Set([...keep, ...named.map(({ digest }) => digest)]);
  const gone = images.digests().filter((digest) => !stay.has(digest));
  for (const digest of gone) images.remove(digest);
  await syncFolder(place.path('images'));
  return gone.length;
}

async function pruneLayers({ images, layers }: PruneScope): Promise<number> {
  const stay = new Set<Digest>();
  for (const digest of images.digests()) {
    const image = await images.read(digest);
    for (const diffId of image?.config.diffIds ?? []) stay.add(diffId);
  }
  const gone = layers.diffIds().filter((diffId) => !stay.has(diffId));
  for (const diffId of gone) layers.remove(diffId);
  await layers.sync();
  return gone.length;
}

async function pruneObjects({
  place,
  layers,
}: PruneScope): Promise<{ readonly objects: number; readonly freedBytes: number }> {
  const stay = new Set<string>();
  for (const diffId of layers.diffIds()) {
    for (const name of objectsOf(await layers.read(diffId)).keys()) stay.add(name);
  }
  let objects = 0;
  let freedBytes = 0;
  for (const folder of OBJECT_FOLDERS) {
    for (const name of namesIn(place.path('objects', folder))) {
      if (stay.has(`${folder}/${name}`)) continue;
      const path = place.path('objects', folder, name);
      const { nlink, size } = lstatSync(path);
      unlinkSync(path);
      objects += 1;
      if (nlink === 1) freedBytes += size; // with more names, a checkout still has it
    }
  }
  return { objects, freedBytes };
}
