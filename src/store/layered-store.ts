import { closeSync, constants, openSync } from 'node:fs';

import { OperationalError } from '../errors/operational-error.js';
import type { DirectoryNode, FileNode } from '../layer/tree.js';
import type { Digest } from '../oci/digest.js';
import { Checkout } from './checkout.js';
import type { SealedContent } from './composefs/composefs-image.js';
import type { FileContents } from './file-contents.js';
import type {
  BeginLayerOptions,
  CheckoutOptions,
  CheckoutResult,
  FsckOptions,
  FsckProblem,
  FsckReport,
  ImageStore,
  ImageTree,
  LayerTransaction,
  MendResult,
  MountPoint,
  NewImage,
  PruneOptions,
  PruneResult,
  RootSealing,
  StorageKind,
  StoredImage,
} from './image-store.js';
import type { LayerTree } from './layer-tree.js';
import { mendCheckout } from './mend-checkout.js';
import { mergeLayers } from './merge-layers.js';
import { addMountPoints } from './mount-points.js';
import type { StoreFolder } from './store-folder.js';
import { removeLeftovers, takeTurn } from './temp-area.js';

/** A layer to take in. */
export interface LayerToBegin {
  readonly diffId: Digest;
  /** Damaged objects that it is to replace; undefined where nothing is to be repaired. */
  readonly replace: ReadonlySet<string> | undefined;
  /** Nobody hashed its archive. */
  readonly takenOver: boolean;
  /** Size of its blob, 0 where that is not known. */
  readonly blobBytes: number;
  readonly onEnd: () => void;
}

/** What the layers of an image come to; `key` is made of their diff ids. */
interface MergedTree {
  readonly key: string;
  readonly root: DirectoryNode;
  readonly contentBytes: number;
}

/**
 * What both back ends do alike: who waits for whom, what has to be there before what, how layers become the tree of an image
 * and a tree a checkout. How things are kept is the back end's.
 */
export abstract class LayeredStore implements ImageStore {
  abstract readonly kind: StorageKind;
  readonly #place: StoreFolder;
  #transactions = 0;
  #cleaned = false;
  /** The tree that was merged last: what is recorded is mostly checked out next. */
  #lastTree: MergedTree | undefined;

  constructor(place: StoreFolder) {
    this.#place = place;
  }

  get folder(): string {
    return this.#place.root;
  }

  abstract findImage(nameOrDigest: string): Promise<StoredImage | undefined>;

  abstract listImages(options?: {
    readonly onDamaged?: (digest: string, error: unknown) => void;
  }): Promise<readonly StoredImage[]>;

  abstract addName(name: string, digest: Digest): Promise<void>;

  abstract removeName(name: string): Promise<void>;

  async hasLayer(
    diffId: Digest,
    { takenOver = false }: { readonly takenOver?: boolean } = {},
  ): Promise<boolean> {
    if (!this.#place.exists()) return false;
    await this.#place.hold();
    return this.isLayerSound(diffId, takenOver);
  }

  async reserveLayer(
    diffId: Digest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Disposable> {
    await this.#prepare();
    const name = diffId.replace(':', '-');
    return this.#guarded(() => takeTurn(this.#place.tempPath, name, options.signal));
  }

  async beginLayer(diffId: Digest, options: BeginLayerOptions = {}): Promise<LayerTransaction> {
    await this.#prepare();
    const onEnd = (): void => {
      this.#transactions -= 1;
      // It may have been made of a layer that was taken over, in whose place this one is now.
      this.#lastTree = undefined;
    };
    const { replace, takenOver = false, blobBytes = 0 } = options;
    const begun = await this.#guarded(() =>
      this.begin({ diffId, replace, takenOver, blobBytes, onEnd }),
    );
    this.#transactions += 1;
    return begun;
  }

  async addImage(image: NewImage): Promise<StoredImage> {
    await this.#prepare();
    const { contentBytes } = await this.#merge(image.config.diffIds, image.manifest.layers);
    await this.#guarded(() => this.record(image, contentBytes));
    const stored = await this.findRecorded(image.digest);
    if (stored === undefined) {
      throw new OperationalError('STORE_INVALID', `image ${image.digest} was removed meanwhile`);
    }
    return stored;
  }

  async openTree({ config, manifest }: StoredImage): Promise<ImageTree> {
    await this.#holdExisting();
    const { root } = await this.#merge(config.diffIds, manifest.layers);
    return {
      root,
      // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
      readFile: async (node, { maxBytes }) => this.readContent(node, maxBytes),
    };
  }

  async checkout(
    tree: ImageTree,
    directory: string,
    options: CheckoutOptions = {},
  ): Promise<CheckoutResult> {
    await this.#holdExisting();
    return this.#guarded(async () => {
      const { root, created } = addMountPoints(tree.root, options.mountPoints ?? []);
      const rootFd = openSync(
        directory,
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      try {
        const checkout = new Checkout({
          contents: this.contents(),
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
    }, directory);
  }

  readonly rootSealing: ImageStore['rootSealing'] = () => this.sealing();

  async encodeSealedRoot(tree: ImageTree, mountPoints: readonly MountPoint[]): Promise<Buffer> {
    await this.#holdExisting();
    return this.#guarded(async () => {
      const { encodeComposefsImage } = await import('./composefs/composefs-image.js');
      const { root } = addMountPoints(tree.root, mountPoints);
      return encodeComposefsImage(root, this.sealedContents());
    });
  }

  async findReplaced(
    tree: ImageTree,
    mountPoints: readonly MountPoint[],
    image: Buffer,
  ): Promise<readonly string[]> {
    await this.#holdExisting();
    return this.#guarded(async () => {
      const { findOtherContents } = await import('./composefs/composefs-image.js');
      const { root } = addMountPoints(tree.root, mountPoints);
      return findOtherContents(root, this.sealedContents(), image);
    });
  }

  async prune(options: PruneOptions): Promise<PruneResult> {
    if (!this.#place.exists()) return { images: 0, layers: 0, objects: 0, freedBytes: 0 };
    if (this.#transactions > 0) {
      throw new OperationalError('BUSY', 'cannot prune the store while a layer is being taken in');
    }
    this.#lastTree = undefined;
    await this.#place.letGo();
    const lock = await this.#place.holdAlone();
    try {
      const keep = typeof options.keep === 'function' ? await options.keep() : options.keep;
      for (const image of await this.listImages()) {
        if (keep.has(image.digest) || options.unname?.(image) !== true) continue;
        for (const name of image.names) await this.removeName(name);
      }
      return await this.#guarded(() => this.removeUnneeded(keep));
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
    return this.#guarded(
      () =>
        mendCheckout(tree.root, directory, { contents: this.contents(), signal: options.signal }),
      directory,
    );
  }

  async discard(problem: FsckProblem): Promise<boolean> {
    return this.#guarded(() => this.remove(problem));
  }

  async fsck(options: FsckOptions = {}): Promise<FsckReport> {
    if (!this.#place.exists()) return { checkedObjects: 0, problems: [] };
    await this.#place.hold(options.signal);
    return this.#guarded(() => this.check(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
  }

  /** The value to throw for what was met while working at `place`. */
  protected abstract errorOf(thrown: unknown, place: string): unknown;

  /** Whether a layer is there and its record sound; one that was taken over counts where that is said. */
  protected abstract isLayerSound(diffId: Digest, takenOver: boolean): Promise<boolean>;

  /** The tree of a layer; `blob` is the digest under which an image lists it. @throws `OperationalError` STORE_INVALID */
  protected abstract readLayer(diffId: Digest, blob: Digest | undefined): Promise<LayerTree>;

  protected abstract begin(layer: LayerToBegin): Promise<LayerTransaction>;

  /** Records an image whose layers are there, and its names. */
  protected abstract record(image: NewImage, contentBytes: number): Promise<void>;

  /** The image that {@link LayeredStore.record} has just recorded. */
  protected abstract findRecorded(digest: Digest): Promise<StoredImage | undefined>;

  /** Where checkouts get their files from. */
  protected abstract contents(): FileContents;

  protected abstract readContent(node: FileNode, maxBytes: number): Buffer;

  /** Whether roots are to be sealed. */
  protected sealing(): RootSealing | undefined {
    return undefined;
  }

  /** Where sealed roots have their content from, and what it measures. @throws `OperationalError` STORE_UNSUITABLE */
  protected sealedContents(): (node: FileNode) => SealedContent {
    throw new OperationalError(
      'STORE_UNSUITABLE',
      'only what is in an OSTree repository can be the content of a sealed root',
    );
  }

  protected abstract removeUnneeded(keep: ReadonlySet<Digest>): Promise<PruneResult>;

  protected abstract check(options: FsckOptions): Promise<FsckReport>;

  /** Removes a damaged thing that nothing refers to; gives whether it was one. */
  protected abstract remove(problem: FsckProblem): Promise<boolean>;

  /** @throws `OperationalError` IMAGE_NOT_FOUND unless `isThere` */
  protected async assertThere(
    digest: Digest,
    isThere: () => boolean | Promise<boolean>,
  ): Promise<void> {
    if (this.#place.exists()) {
      await this.#place.hold();
      if (await isThere()) return;
    }
    throw new OperationalError('IMAGE_NOT_FOUND', `there is no image ${digest} in the store`);
  }

  async #guarded<T>(body: () => Promise<T>, place = this.#place.root): Promise<T> {
    try {
      return await body();
    } catch (error) {
      throw this.errorOf(error, place);
    }
  }

  async #prepare(): Promise<void> {
    await this.#place.prepare();
    await this.#place.hold();
    if (this.#cleaned) return;
    this.#cleaned = true;
    removeLeftovers(this.#place.tempPath);
  }

  async #holdExisting(): Promise<void> {
    if (!this.#place.exists()) {
      throw new OperationalError('STORE_INVALID', 'there is no store yet');
    }
    await this.#place.hold();
  }

  async #merge(
    diffIds: readonly Digest[],
    blobs: readonly { readonly digest: Digest }[],
  ): Promise<MergedTree> {
    const key = diffIds.join(' ');
    if (this.#lastTree?.key === key) return this.#lastTree;
    const layers: LayerTree[] = [];
    for (const [index, diffId] of diffIds.entries())
      layers.push(await this.readLayer(diffId, blobs[index]?.digest));
    const contentBytes = layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
    this.#lastTree = { key, root: mergeLayers(layers), contentBytes };
    return this.#lastTree;
  }
}
