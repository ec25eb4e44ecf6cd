import { OperationalError } from '../errors/operational-error.js';
import type { Digest } from '../oci/digest.js';

/**
 * What to throw where a layer that is taken over is there already, taken over from elsewhere with other files. One of the
 * two is not what it is said to be, and an image that is there must not get the files of another's.
 */
export function layerDisputed(diffId: Digest): OperationalError {
  return new OperationalError(
    'LAYER_DISPUTED',
    `refusing layer ${diffId}: it was taken over from elsewhere before, with other files`,
    {
      hint: 'pull the image from its registry, which decides which is right; or delete the one that was taken over, and berth images prune',
    },
  );
}
