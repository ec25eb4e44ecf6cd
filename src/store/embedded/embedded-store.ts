import { closeSync, constants, openSync } from 'node:fs';

import { OperationalError } from '../../errors/operational-error.js';
import type { DirectoryNode } from '../../layer/tree.js';
import type { Digest } from '../../oci/digest.js';
import { acquireLock } from '../../sys/lock-file.js';
import type {
  CheckoutOptions,
  CheckoutResult,
  FsckOptions,
  FsckProblem,
  FsckReport,
  ImageStore,
  ImageTree,
  LayerTransaction,
  MendResult,
  NewImage,
  PruneOptions,
  PruneResult,
  StoredImage,
} from '../image-store.js';
import { mergeLayers } from '../merge-layers.js';
import { addMountPoints } from '../mount-points.js';
import { findByDigest } from '../abbreviated-digest.js';
import { Checkout } from '../checkout.js';
import { discard } from './discard.js';
import { onDisk, onDiskAsync } from '../disk-error.js';
import { fsck } from './fsck.js';
import { fileNameOf, ImageRecords, type ImageRecord } from './image-records.js';
import { LayerRecords } from './layer-records.js';
import { EmbeddedLayerTransaction } from './layer-transaction.js';
import { mendCheckout } from '../mend-checkout.js';
import { ObjectContents } from './object-contents.js';
import { prune } from './prune.js';
import { readObject } from './read-object.js';
import { StorePlace } from './store-place.js';
import { removeLeftovers, takeTurn } from '../temp-area.js';

/**
 * Opens the embedded store in a folder. Nothing is made before something is written, and nothing is locked before layers
 * or objects are used: listing images waits for nobody.
 */
export function openEmbeddedStore(root: string): ImageStore {
  return new EmbeddedStore(root);
}

class EmbeddedStore implements ImageStore {
  readonly kind = 'embedded';
  readonly #place: StorePlace;
  readonly #images: ImageRecords;
  readonly #layers: LayerRecords;
  #transactions = 0;
  #cleaned = false;
  /** The tree that was merged last: what is recorded is mostly checked out next. */
  #lastTree: { readonly key: string; readonly root: DirectoryNode } | undefined;

  constructor(root: string) {
    this.#place = new StorePlace(root);
    this.#images = new ImageRecords(this.#place);
    this.#layers = new LayerRecords(this.#place);
  }

  async hasLayer(diffId: Digest): Promise<boolean> {
    if (!this.#place.exists()) return false;
    await this.#place.hold();
    return this.#layers.has(diffId);
  }

  async reserveLayer(
    diffId: Digest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Disposable> {
    await this.#prepare();
    const turn = takeTurn(this.#place.path('tmp'), fileNameOf(diffId), options.signal);
    return onDiskAsync(this.#place.root, () => turn);
  }

  async beginLayer(
    diffId: Digest,
    options: { readonly replace?: ReadonlySet<string> } = {},
  ): Promise<LayerTransaction> {
    await this.#prepare();
    const transaction = new EmbeddedLayerTransaction(this.#place, {
      fileName: fileNameOf(diffId),
      replace: options.replace ?? new Set(),
      onEnd: () => {
        this.#transactions -= 1;
      },
    });
    this.#transactions += 1;
    return transaction;
  }

  async addImage(image: NewImage): Promise<StoredImage> {
    await this.#prepare();
    const { contentBytes } = await this.#merge(image.config.diffIds);
    await onDiskAsync(this.#place.root, async () => {
      await this.#images.write(image, contentBytes);
      for (const name of image.names) await this.#images.writeName(name, image.digest);
    });
    const stored = await this.#imageOf(image.digest);
    if (stored === undefined) {
      throw new OperationalError('STORE_INVALID', `image ${image.digest} was removed meanwhile`);
    }
    return stored;
  }

  async findImage(nameOrDigest: string): Promise<StoredImage | undefined> {
    if (!this.#place.exists()) return undefined;
    const named = await this.#images.readName(nameOrDigest);
    const known = this.#images.digests().map((digest) => ({ digest }));
    const digest = named ?? findByDigest(known, nameOrDigest)?.digest;
    return digest === undefined ? undefined : this.#imageOf(digest);
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
    if (this.#place.exists()) await this.#place.hold();
    if (!this.#place.exists() || (await this.#images.read(digest)) === undefined) {
      throw new OperationalError('IMAGE_NOT_FOUND', `there is no image ${digest} in the store`);
    }
    await onDiskAsync(this.#place.root, () => this.#images.writeName(name, digest));
  }

  async removeName(name: string): Promise<void> {
    if (!this.#place.exists()) return;
    await onDiskAsync(this.#place.root, () => this.#images.removeName(name));
  }

  async openTree(image: StoredImage): Promise<ImageTree> {
    await this.#holdExisting();
    const { root } = await this.#merge(image.config.diffIds);
    const { objectsFd } = this.#place;
    return {
      root,
      // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
      readFile: async (node, { maxBytes }) => readObject(objectsFd, node, maxBytes),
    };
  }

  async checkout(
    tree: ImageTree,
    directory: string,
    options: CheckoutOptions = {},
  ): Promise<CheckoutResult> {
    await this.#holdExisting();
    return onDiskAsync(directory, async () => {
      const { root, created } = addMountPoints(tree.root, options.mountPoints ?? []);
      const rootFd = openSync(
        directory,
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      try {
        const checkout = new Checkout({
          contents: this.#contents(),
          rootFd,
          devices: options.devices === true,
          signal: options.signal,
        });
        await checkout.run(root);
        const { files, directories, copiedBytes } = checkout;
        return { files, directories, copiedBytes, createdMountPoints: created };
      } finally {
        closeSync(rootFd);
      }
    });
  }

  async prune(options: PruneOptions): Promise<PruneResult> {
    if (!this.#place.exists()) return { images: 0, layers: 0, objects: 0, freedBytes: 0 };
    if (this.#transactions > 0) {
      throw new OperationalError('BUSY', 'cannot prune the store while a layer is being taken in');
    }
    this.#lastTree = undefined;
    await this.#place.letGo();
    const lock = await acquireLock(this.#place.path('lock'), { mode: 'exclusive' });
    try {
      const keep = typeof options.keep === 'function' ? await options.keep() : options.keep;
      for (const image of await this.listImages()) {
        if (keep.has(image.digest) || options.unname?.(image) !== true) continue;
        for (const name of image.names) await this.removeName(name);
      }
      return await onDiskAsync(this.#place.root, () =>
        prune({
          place: this.#place,
          images: this.#images,
          layers: this.#layers,
          keep,
        }),
      );
    } finally {
      lock.release();
    }
  }

  async mendCheckout(
    tree: ImageTree,
    directory: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<MendResult> {
    await this.#holdExisting();
    return onDiskAsync(directory, () =>
      mendCheckout(tree.root, directory, {
        contents: this.#contents(),
        signal: options.signal,
      }),
    );
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async discard(problem: FsckProblem): Promise<boolean> {
    return onDisk(this.#place.root, () => discard(this.#place, problem));
  }

  async fsck(options: FsckOptions = {}): Promise<FsckReport> {
    if (!this.#place.exists()) return { checkedObjects: 0, problems: [] };
    await this.#place.hold(options.signal);
    return fsck({
      place: this.#place,
      images: this.#images,
      layers: this.#layers,
      signal: options.signal,
      only: options.images,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
  }

  #contents(): ObjectContents {
    return new ObjectContents(this.#place.objectsFd, this.#place.path('tmp'));
  }

  async #prepare(): Promise<void> {
    await this.#place.prepare();
    await this.#place.hold();
    if (this.#cleaned) return;
    this.#cleaned = true;
    removeLeftovers(this.#place.path('tmp'));
  }

  async #holdExisting(): Promise<void> {
    if (!this.#place.exists()) {
      throw new OperationalError('STORE_INVALID', 'there is no store yet');
    }
    await this.#place.hold();
  }

  async #merge(
    diffIds: readonly Digest[],
  ): Promise<{ readonly root: DirectoryNode; readonly contentBytes: number }> {
    const layers = [];
    for (const diffId of diffIds) layers.push(await this.#layers.read(diffId));
    const contentBytes = layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
    const key = diffIds.join(' ');
    if (this.#lastTree?.key !== key) this.#lastTree = { key, root: mergeLayers(layers) };
    return { root: this.#lastTree.root, contentBytes };
  }

  async #imageOf(digest: Digest): Promise<StoredImage | undefined> {
    const record = await this.#images.read(digest);
    if (record === undefined) return undefined;
    return withNames(record, await this.#images.names(() => undefined));
  }
}

function withNames(
  record: ImageRecord,
  names: readonly { readonly name: string; readonly digest: Digest }[],
): StoredImage {
  const own = names.filter(({ digest }) => digest === record.digest).map(({ name }) => name);
  return { ...record, names: own };
}
