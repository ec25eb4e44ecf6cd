import { existsSync, unlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Digest } from '../../oci/digest.js';
import { decodeLayer } from '../layer-file.js';
import type { LayerTree } from '../layer-tree.js';
import { digestOfFileName, fileNameOf, namesIn } from './image-records.js';
import type { StorePlace } from './store-place.js';

/** The trees of the layers, in `layers/`. */
export class LayerRecords {
  readonly #place: StorePlace;

  constructor(place: StorePlace) {
    this.#place = place;
  }

  /** Whether a layer is there and its record is sound. */
  async has(diffId: Digest): Promise<boolean> {
    if (!existsSync(this.#path(diffId))) return false;
    try {
      await this.read(diffId);
      return true;
    } catch (error) {
      // A damaged one counts as missing, so that pulling again repairs it.
      if (error instanceof OperationalError && error.code === 'STORE_INVALID') return false;
      throw error;
    }
  }

  /** The tree of a layer. @throws `OperationalError` STORE_INVALID if it is missing or damaged, STORE_FORMAT */
  async read(diffId: Digest): Promise<LayerTree> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#path(diffId));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      throw new OperationalError('STORE_INVALID', `layer ${diffId} is not in the store`, {
        hint: 'pull the image again',
      });
    }
    return decodeLayer(bytes, diffId);
  }

  /** Diff ids of all layers, sorted. */
  diffIds(): Digest[] {
    return namesIn(this.#place.path('layers'))
      .map(digestOfFileName)
      .filter((digest) => digest !== undefined)
      .sort();
  }

  remove(diffId: Digest): void {
    unlinkSync(this.#path(diffId));
  }

  #path(diffId: Digest): string {
    return this.#place.path('layers', fileNameOf(diffId));
  }
}
