import { renameSync } from 'node:fs';

import { syncFolder, writeFileSynced } from '../../base/atomic-file.js';
import type { LayerSink, SpecialEntry } from '../../layer/layer-sink.js';
import type { NodeMeta } from '../../layer/tree.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import type { LayerTransaction } from '../image-store.js';
import { encodeLayer } from '../layer-file.js';
import { LayerTreeBuilder } from '../layer-tree-builder.js';
import { onDisk, onDiskAsync } from '../disk-error.js';
import { ObjectWriter } from './object-writer.js';
import type { StorePlace } from './store-place.js';
import { TempArea } from '../temp-area.js';

/** What an {@link EmbeddedLayerTransaction} takes in. */
export interface LayerToTake {
  /** Of its record. */
  readonly fileName: string;
  /** Damaged objects that it is to replace. */
  readonly replace: ReadonlySet<string>;
  readonly onEnd: () => void;
}

/** A layer being taken into the embedded store: content into objects, everything else into its tree. */
export class EmbeddedLayerTransaction implements LayerTransaction, LayerSink {
  readonly #place: StorePlace;
  readonly #layerName: string;
  readonly #area: TempArea;
  readonly #objects: ObjectWriter;
  readonly #tree = new LayerTreeBuilder();
  readonly #onEnd: () => void;
  #path = '';
  #ended = false;

  constructor(place: StorePlace, layer: LayerToTake) {
    this.#place = place;
    this.#layerName = layer.fileName;
    this.#onEnd = layer.onEnd;
    this.#area = onDisk(place.root, () => new TempArea(place.path('tmp')));
    this.#objects = new ObjectWriter({
      objectsFd: place.objectsFd,
      tempFd: this.#area.fd,
      replace: layer.replace,
    });
  }

  get sink(): LayerSink {
    return this;
  }

  addDirectory(path: string, meta: NodeMeta): void {
    this.#tree.addDirectory(path, meta);
  }

  addSymlink(path: string, target: string, meta: NodeMeta): void {
    this.#tree.addNode(path, { kind: 'symlink', meta, target });
  }

  addSpecial(path: string, special: SpecialEntry): void {
    this.#tree.addNode(path, special);
  }

  addHardLink(path: string, target: string): void {
    this.#tree.addHardLink(path, target);
  }

  addWhiteout(path: string): void {
    this.#tree.addWhiteout(path);
  }

  addOpaque(path: string): void {
    this.#tree.addOpaque(path);
  }

  beginFile(path: string, file: { readonly meta: NodeMeta; readonly size: number }): void {
    this.#path = path;
    this.#objects.begin(file.meta, file.size);
  }

  writeFile(chunk: Uint8Array): void {
    onDisk(this.#place.root, () => {
      this.#objects.write(chunk);
    });
  }

  endFile(): void {
    const node = onDisk(this.#place.root, () => this.#objects.end());
    this.#tree.addNode(this.#path, node);
  }

  async drain(): Promise<void> {
    // Everything is written when its call returns.
  }

  /**
   * Order is what makes it safe to lose power anywhere: content, then the names of objects, then the name of the layer,
   * each durable before the next.
   */
  async commit(): Promise<void> {
    const place = this.#place;
    const record = encodeLayer(this.#tree.finish());
    await onDiskAsync(place.root, async () => {
      const temporary = `${this.#area.path}/layer`;
      await writeFileSynced(temporary, record, { mode: 0o600 });
      await syncFileSystemOf(place.root);
      this.#objects.publish();
      await syncFileSystemOf(place.root);
      renameSync(temporary, place.path('layers', this.#layerName));
      await syncFolder(place.path('layers'));
    });
    await this[Symbol.asyncDispose]();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- part of an interface that others need it for
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#objects.close();
    try {
      this.#area[Symbol.dispose]();
    } finally {
      this.#onEnd();
    }
  }
}
