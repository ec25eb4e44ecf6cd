import type { FileNode } from '../../layer/tree.js';
import type { Digest } from '../../oci/digest.js';
import { findByDigest } from '../abbreviated-digest.js';
import { diskError, onDiskAsync } from '../disk-error.js';
import type {
  FsckOptions,
  FsckProblem,
  ImageStore,
  NewImage,
  PruneResult,
  StoredImage,
} from '../image-store.js';
import type { LayerTree } from '../layer-tree.js';
import { LayeredStore, type LayerToBegin } from '../layered-store.js';
import { discard } from './discard.js';
import { fsck } from './fsck.js';
import { ImageRecords, type ImageRecord } from './image-records.js';
import { LayerRecords } from './layer-records.js';
import { EmbeddedLayerTransaction } from './layer-transaction.js';
import { ObjectContents } from './object-contents.js';
import { prune } from './prune.js';
import { readObject } from './read-object.js';
import { StorePlace, type StorePlaceOptions } from './store-place.js';

/**
 * Opens the embedded store in a folder. Nothing is made before something is written, and nothing is locked before layers
 * or objects are used: listing images waits for nobody.
 */
export function openEmbeddedStore(root: string, options: StorePlaceOptions = {}): ImageStore {
  return new EmbeddedStore(new StorePlace(root, options));
}

class EmbeddedStore extends LayeredStore {
  readonly kind = 'embedded';
  readonly #place: StorePlace;
  readonly #images: ImageRecords;
  readonly #layers: LayerRecords;

  constructor(place: StorePlace) {
    super(place);
    this.#place = place;
    this.#images = new ImageRecords(place);
    this.#layers = new LayerRecords(place);
  }

  async findImage(nameOrDigest: string): Promise<StoredImage | undefined> {
    if (!this.#place.exists()) return undefined;
    const named = await this.#images.readName(nameOrDigest);
    const known = this.#images.digests().map((digest) => ({ digest }));
    const digest = named ?? findByDigest(known, nameOrDigest)?.digest;
    return digest === undefined ? undefined : this.findRecorded(digest);
  }

  async listImages(
    options: { readonly onDamaged?: (digest: string, error: unknown) => void } = {},
  ): Promise<readonly StoredImage[]> {
    if (!this.#place.exists()) return [];
    const onDamaged = options.onDamaged ?? (() => undefined);
    const names = await this.#images.names(onDamaged);
    const images: StoredImage[] = [];
    for (const digest of this.#images.digests()) {
      try {
        const record = await this.#images.read(digest);
        if (record !== undefined) images.push(withNames(record, names));
      } catch (error) {
        onDamaged(digest, error);
      }
    }
    return images;
  }

  async addName(name: string, digest: Digest): Promise<void> {
    await this.assertThere(digest, async () => (await this.#images.read(digest)) !== undefined);
    await onDiskAsync(this.#place.root, () => this.#images.writeName(name, digest));
  }

  async removeName(name: string): Promise<void> {
    if (!this.#place.exists()) return;
    await onDiskAsync(this.#place.root, () => this.#images.removeName(name));
  }

  protected errorOf(thrown: unknown, place: string): unknown {
    return diskError(thrown, place);
  }

  protected isLayerSound(diffId: Digest, takenOver: boolean): Promise<boolean> {
    return this.#layers.has(diffId, { takenOver });
  }

  protected async readLayer(diffId: Digest): Promise<LayerTree> {
    return this.#layers.takeFresh(diffId) ?? (await this.#layers.read(diffId));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  protected async begin({
    diffId,
    replace = new Set(),
    takenOver,
    blobBytes,
    onEnd,
  }: LayerToBegin): Promise<EmbeddedLayerTransaction> {
    const layer = { diffId, records: this.#layers, replace, takenOver, blobBytes, onEnd };
    return new EmbeddedLayerTransaction(this.#place, layer);
  }

  protected async record(image: NewImage, contentBytes: number): Promise<void> {
    await this.#images.write(image, contentBytes);
    for (const name of image.names) await this.#images.writeName(name, image.digest);
  }

  protected async findRecorded(digest: Digest): Promise<StoredImage | undefined> {
    const record = await this.#images.read(digest);
    if (record === undefined) return undefined;
    return withNames(record, await this.#images.names(() => undefined));
  }

  protected contents(): ObjectContents {
    return new ObjectContents(this.#place.objectsFd, this.#place.tempPath);
  }

  protected readContent(node: FileNode, maxBytes: number): Buffer {
    return readObject(this.#place.objectsFd, node, maxBytes);
  }

  protected removeUnneeded(keep: ReadonlySet<Digest>): Promise<PruneResult> {
    return prune({ ...this.#records, keep });
  }

  protected check({ signal, images }: FsckOptions): ReturnType<typeof fsck> {
    return fsck({ ...this.#records, signal, only: images });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  protected async remove(problem: FsckProblem): Promise<boolean> {
    return discard(this.#place, problem);
  }

  get #records(): {
    readonly place: StorePlace;
    readonly images: ImageRecords;
    readonly layers: LayerRecords;
  } {
    return { place: this.#place, images: this.#images, layers: this.#layers };
  }
}

function withNames(
  record: ImageRecord,
  names: readonly { readonly name: string; readonly digest: Digest }[],
): StoredImage {
  const own = names.filter(({ digest }) => digest === record.digest).map(({ name }) => name);
  return { ...record, names: own };
}
