import type { StoredImage } from '../store/image-store.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';

/** An image of the store and the containers that were made from it. */
export interface ListedImage {
  readonly image: StoredImage;
  readonly usedBy: readonly string[];
}

/** Lists the images of the store with who uses them. */
export async function listImages(host: Host): Promise<readonly ListedImage[]> {
  const store = await host.openStore();
  const images = await store.listImages({
    onDamaged: (digest, error) => {
      const why = error instanceof Error ? error.message : String(error);
      host.onEvent({
        kind: 'warning',
        text: `the record of image ${digest} is damaged, leaving it out: ${why}`,
      });
    },
  });
  const { deployments } = await readDeployments(host);
  return images.map((image) => ({
    image,
    usedBy: deployments
      .filter(({ image: used }) => used.digest === image.digest)
      .map(({ name }) => name),
  }));
}
