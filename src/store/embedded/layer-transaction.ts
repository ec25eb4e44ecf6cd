import { appendFileSync, closeSync, openSync } from 'node:fs';

import type { Digest } from '../../oci/digest.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import { diskError, onDisk, onDiskAsync } from '../disk-error.js';
import type { LayerTransaction } from '../image-store.js';
import { LayerCollector } from '../layer-collector.js';
import { encodeLayer, writeLayer } from '../layer-file.js';
import type { LayerTree } from '../layer-tree.js';
import type { ObjectWriter } from '../object-writer.js';
import { TempArea } from '../temp-area.js';
import { createObjectWriter } from './create-object-writer.js';
import type { LayerRecords } from './layer-records.js';
import { findObjectThread } from './object-thread.js';
import type { StorePlace } from './store-place.js';
import { ThreadedObjects } from './threaded-objects.js';

/** What an {@link EmbeddedLayerTransaction} takes in. */
export interface LayerToTake {
  readonly diffId: Digest;
  /** Where its record goes. */
  readonly records: LayerRecords;
  /** Damaged objects that it is to replace. */
  readonly replace: ReadonlySet<string>;
  /** Nobody hashed its archive. */
  readonly takenOver: boolean;
  /** Size of its blob, 0 where that is not known. */
  readonly blobBytes: number;
  readonly onEnd: () => void;
}

/** A layer being taken into the embedded store: content into objects, everything else into its tree. */
export class EmbeddedLayerTransaction implements LayerTransaction {
  readonly sink: LayerCollector;
  readonly #place: StorePlace;
  readonly #layer: LayerToTake;
  readonly #area: TempArea;
  readonly #objects: ObjectWriter | ThreadedObjects;
  #ended = false;

  constructor(place: StorePlace, layer: LayerToTake) {
    this.#place = place;
    this.#layer = layer;
    this.#area = onDisk(place.root, () => new TempArea(place.tempPath));
    try {
      this.#objects = onDisk(place.root, () => takerOf(place, layer, this.#area));
    } catch (error) {
      this.#area[Symbol.dispose]();
      throw error;
    }
    const errorOf = (thrown: unknown): unknown => diskError(thrown, place.root);
    this.sink = new LayerCollector(this.#objects, { errorOf });
  }

  /**
   * Order is what makes it safe to lose power anywhere: content, then the names of objects, then the name of the layer,
   * each durable before the next.
   */
  async commit(): Promise<void> {
    const place = this.#place;
    const { diffId, records, takenOver } = this.#layer;
    await this.sink.drain();
    const tree = this.sink.finish();
    await onDiskAsync(place.root, async () => {
      if (takenOver) await records.assertUndisputed(diffId, encodeLayer(tree));
      const temporary = `${this.#area.path}/layer`;
      writeLayerFile(temporary, tree);
      await syncFileSystemOf(place.root);
      await this.#objects.publish();
      await syncFileSystemOf(place.root);
      await records.publish(temporary, { diffId, takenOver, tree });
    });
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#objects.close();
    try {
      this.#area[Symbol.dispose]();
    } finally {
      this.#layer.onEnd();
    }
  }
}

/** What makes the objects of a layer: another thread, where it gains something. */
function takerOf(
  place: StorePlace,
  layer: LayerToTake,
  area: TempArea,
): ObjectWriter | ThreadedObjects {
  const objects = {
    objectsFd: place.objectsFd,
    objectsPath: place.path('objects'),
    tempFd: area.fd,
    tempPath: area.path,
    isFirst: layer.records.diffIds().length === 0,
    replace: layer.replace,
  };
  const thread = findObjectThread(layer.blobBytes);
  return thread === undefined ? createObjectWriter(objects) : new ThreadedObjects(thread, objects);
}

/** A new file with the record of a layer; not synced. */
function writeLayerFile(path: string, tree: LayerTree): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeLayer(tree, (piece) => {
      appendFileSync(fd, piece);
    });
  } finally {
    closeSync(fd);
  }
}
