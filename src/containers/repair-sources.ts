import type { Digest } from '../oci/digest.js';
import type { FsckProblem, ImageStore, NewImage } from '../store/image-store.js';
import type { Deployment } from './deployment.js';

/** An image whose layers can be asked for. */
export type KnownImage = Pick<NewImage, 'digest' | 'manifest' | 'config'> & {
  readonly names: readonly string[];
};

/** The layers to fetch again whatever else is sound: those whose records are gone, and those that the store does not have. */
export async function findLostLayers(
  store: ImageStore,
  problems: readonly FsckProblem[],
  images: readonly KnownImage[],
): Promise<ReadonlySet<Digest>> {
  const lost = new Set(problems.flatMap(({ kind, layers }) => (kind === 'object' ? [] : layers)));
  // Of an image whose documents had to be fetched, nobody looked at the layers yet.
  for (const { config } of images) {
    for (const diffId of config.diffIds)
      if (!(await store.hasLayer(diffId, { takenOver: true }))) lost.add(diffId);
  }
  return lost;
}

/** Where an image may have come from, in the order in which these places are asked. */
export function placesOfImage(
  image: { readonly digest: Digest; readonly names: readonly string[] },
  deployments: readonly Deployment[],
): readonly string[] {
  return [
    ...new Set([
      ...deployments
        .filter((deployment) => deployment.image.digest === image.digest)
        .flatMap((deployment) => [deployment.image.reference, deployment.image.storeName]),
      ...image.names,
    ]),
  ];
}

/** Compressed size of a layer of an image, which is what comes over the network. */
export function layerBytes({ manifest, config }: KnownImage, diffId: Digest): number {
  return manifest.layers[config.diffIds.indexOf(diffId)]?.size ?? 0;
}
