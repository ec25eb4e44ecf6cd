import { existsSync, renameSync, unlinkSync } from 'node:fs';

import { syncFolder } from '../../base/atomic-file.js';
import { readFile } from '../../base/quick-files.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Digest } from '../../oci/digest.js';
import { assertSoundLayer, decodeLayer } from '../layer-file.js';
import type { LayerTree } from '../layer-tree.js';
import { layerDisputed } from '../layer-disputed.js';
import { makeFolder } from '../make-folder.js';
import { digestOfFileName, fileNameOf, namesIn } from './image-records.js';
import type { StorePlace } from './store-place.js';

/** Where a record stands: by whether the layer's archive was hashed. What was hashed counts before what was taken over. */
const FOLDERS = ['layers', 'taken'] as const;

type Folder = (typeof FOLDERS)[number];

/** In which order they are looked into: what was taken over may have given way to what was hashed since the first look. */
const LOOKS: readonly Folder[] = [...FOLDERS, 'layers'];

/** A layer whose record is written. */
export interface RecordedLayer {
  readonly diffId: Digest;
  readonly takenOver: boolean;
  /** What the record says; not the caller's any more. */
  readonly tree: LayerTree;
}

/** The trees of the layers, in `layers/` and `taken/`. */
export class LayerRecords {
  readonly #place: StorePlace;
  /** Trees that were just recorded, for the image that they are of: decoding them would take time, and twice the memory. */
  readonly #fresh = new Map<Digest, LayerTree>();

  constructor(place: StorePlace) {
    this.#place = place;
  }

  /** Whether a layer is there and its record is sound. One that was taken over counts with `takenOver`. */
  async has(diffId: Digest, { takenOver }: { readonly takenOver: boolean }): Promise<boolean> {
    for (const folder of takenOver ? LOOKS : (['layers'] as const))
      if ((await this.#readIfSound(folder, diffId)) !== undefined) return true;
    return false;
  }

  /** The tree of a layer. @throws `OperationalError` STORE_INVALID if it is missing or damaged, STORE_FORMAT */
  async read(diffId: Digest): Promise<LayerTree> {
    for (const folder of LOOKS) {
      const bytes = await this.#readBytes(folder, diffId);
      if (bytes !== undefined) return decodeLayer(bytes, diffId);
    }
    throw new OperationalError('STORE_INVALID', `layer ${diffId} is not in the store`, {
      hint: 'pull the image again',
    });
  }

  /** The tree of a layer that this process has just recorded, once: it is the caller's to change. */
  takeFresh(diffId: Digest): LayerTree | undefined {
    const tree = this.#fresh.get(diffId);
    this.#fresh.delete(diffId);
    return tree;
  }

  /**
   * Makes sure that nobody has said something else of a layer that is to be taken over.
   *
   * @throws `OperationalError` LAYER_DISPUTED
   */
  async assertUndisputed(diffId: Digest, record: Buffer): Promise<void> {
    const known = await this.#readIfSound('taken', diffId);
    if (known !== undefined && !known.equals(record)) throw layerDisputed(diffId);
  }

  /** Gives the record of a tree, written beside, its name; durable when it returns. */
  async publish(temporary: string, { diffId, takenOver, tree }: RecordedLayer): Promise<void> {
    if (takenOver && (await this.#readIfSound('layers', diffId)) !== undefined) return;
    const folder: Folder = takenOver ? 'taken' : 'layers';
    if (takenOver) makeFolder(this.#place.path(folder));
    renameSync(temporary, this.#path(folder, diffId));
    await syncFolder(this.#place.path(folder));
    // What was taken over gives way to what was hashed, and what is damaged to either.
    this.#unlink(takenOver ? 'layers' : 'taken', diffId);
    this.#fresh.set(diffId, tree);
  }

  /** Diff ids of all layers, sorted. */
  diffIds(): Digest[] {
    const names = FOLDERS.flatMap((folder) => namesIn(this.#place.path(folder)));
    return [...new Set(names)]
      .map(digestOfFileName)
      .filter((digest) => digest !== undefined)
      .sort();
  }

  /** Removes a layer, however it came; durable after {@link LayerRecords.sync}. */
  remove(diffId: Digest): void {
    this.#fresh.delete(diffId);
    for (const folder of FOLDERS) this.#unlink(folder, diffId);
  }

  /** Makes what was removed durable. */
  async sync(): Promise<void> {
    for (const folder of FOLDERS) {
      const path = this.#place.path(folder);
      if (existsSync(path)) await syncFolder(path);
    }
  }

  async #readIfSound(folder: Folder, diffId: Digest): Promise<Buffer | undefined> {
    const bytes = await this.#readBytes(folder, diffId);
    if (bytes === undefined) return undefined;
    try {
      assertSoundLayer(bytes, diffId);
      return bytes;
    } catch (error) {
      // A damaged one counts as missing, so that pulling again repairs it.
      if (error instanceof OperationalError && error.code === 'STORE_INVALID') return undefined;
      throw error;
    }
  }

  async #readBytes(folder: Folder, diffId: Digest): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#path(folder, diffId));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #unlink(folder: Folder, diffId: Digest): void {
    try {
      unlinkSync(this.#path(folder, diffId));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  #path(folder: Folder, diffId: Digest): string {
    return this.#place.path(folder, fileNameOf(diffId));
  }
}
