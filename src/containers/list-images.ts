import type { StoredImage } from '../store/image-store.js';
import { readAllDeployments } from './all-deployments.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';

/**
 * An image of the store and what was made from it: containers by their names, where it is that of another deployment than
 * the present one `NAME.N`.
 */
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
  const { deployments } = await readAllDeployments(host);
  const current = new Set(
    (await readDeployments(host)).deployments.map(({ name, number }) => `${name}.${number}`),
  );
  return images.map((image) => ({
    image,
    usedBy: deployments
      .filter(
        ({ image: used, storage }) => used.digest === image.digest && storage === image.storage,
      )
      .map(({ name, number }) => (current.has(`${name}.${number}`) ? name : `${name}.${number}`)),
  }));
}
