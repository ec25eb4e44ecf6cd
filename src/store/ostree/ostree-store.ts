import { closeSync, constants, openSync } from 'node:fs';

import {
  beginTransaction,
  deleteObject,
  isChecksum,
  setRef,
  type Repo,
} from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { DirectoryNode } from '../../layer/tree.js';
import type { Digest } from '../../oci/digest.js';
import { findByDigest } from '../abbreviated-digest.js';
import { Checkout } from '../checkout.js';
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
import { mendCheckout } from '../mend-checkout.js';
import { mergeLayers } from '../merge-layers.js';
import { addMountPoints } from '../mount-points.js';
import { removeLeftovers, takeTurn } from '../temp-area.js';
import { CommitCatalogue, type LayerCommit } from './commit-catalogue.js';
import { fsck } from './fsck.js';
import { ImageCommits, type ImageCommit } from './image-commits.js';
import { LayerReader } from './layer-reader.js';
import { RepositoryLayerTransaction } from './layer-transaction.js';
import { readContent, RepositoryContents } from './object-contents.js';
import { prune } from './prune.js';
import { blobRef, fullName, nameRef, parseImageRef } from './ref-names.js';
import { onRepositoryAsync } from './repository-error.js';
import { RepositoryPlace } from './repository-place.js';
import { ScratchRepository } from './scratch-repository.js';
import { writeImage } from './write-image.js';

/**
 * Opens an OSTree repository as a store. Nothing is made before something is written, libostree is not loaded before there is
 * a repository, and nothing is locked before layers or objects are used: listing images waits for nobody.
 */
export function openOstreeStore(root: string): ImageStore {
  return new OstreeStore(root);
}

class OstreeStore implements ImageStore {
  readonly kind = 'ostree';
  readonly #place: RepositoryPlace;
  readonly #catalogue: CommitCatalogue;
  readonly #images: ImageCommits;
  readonly #layers: LayerReader;
  #transactions = 0;
  #cleaned = false;
  /** The tree that was merged last: what is recorded is mostly checked out next. */
  #lastTree: { readonly key: string; readonly root: DirectoryNode } | undefined;

  constructor(root: string) {
    this.#place = new RepositoryPlace(root);
    this.#catalogue = new CommitCatalogue(() => this.#place.repo);
    this.#images = new ImageCommits(this.#place, this.#catalogue);
    this.#layers = new LayerReader(this.#place, this.#catalogue);
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
    const turn = takeTurn(this.#place.tempPath, diffId.replace(':', '-'), options.signal);
    return onRepositoryAsync(this.#place.root, () => turn);
  }

  async beginLayer(
    diffId: Digest,
    options: { readonly replace?: ReadonlySet<string> } = {},
  ): Promise<LayerTransaction> {
    await this.#prepare();
    const { replace } = options;
    const repo = this.#place.openAnother();
    return onRepositoryAsync(this.#place.root, async () => {
      let scratch: ScratchRepository | undefined;
      try {
        if (replace !== undefined) scratch = await ScratchRepository.open(this.#place);
        const transaction = scratch?.transaction ?? (await beginTransaction(repo));
        this.#transactions += 1;
        return new RepositoryLayerTransaction(
          {
            diffId,
            root: this.#place.root,
            catalogue: this.#catalogue,
            repo,
            scratch,
            replace: replace ?? new Set(),
            onEnd: () => {
              this.#transactions -= 1;
            },
          },
          transaction,
        );
      } catch (error) {
        await scratch?.[Symbol.asyncDispose]();
        repo[Symbol.dispose]();
        throw error;
      }
    });
  }

  async addImage(image: NewImage): Promise<StoredImage> {
    await this.#prepare();
    const { diffIds } = image.config;
    const { layers } = image.manifest;
    this.#merge(diffIds, layers);
    const found = diffIds.map((diffId, index) => this.#findLayer(diffId, layers[index]?.digest));
    await onRepositoryAsync(this.#place.root, async () => {
      for (const other of this.#list()) {
        if (other.names.some((name) => image.names.includes(name)))
          await this.#keepWithoutName(other);
      }
      await this.#writing((repo) =>
        writeImage({ image, layers: found, catalogue: this.#catalogue, repo }),
      );
    });
    const stored = this.#imageOf(image.digest);
    if (stored === undefined) {
      throw new OperationalError('STORE_INVALID', `image ${image.digest} was removed meanwhile`);
    }
    return stored;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async findImage(nameOrDigest: string): Promise<StoredImage | undefined> {
    if (!this.#place.exists()) return undefined;
    const all = this.#list();
    const found = findByName(all, nameOrDigest) ?? findByDigest(all, nameOrDigest);
    return found === undefined ? undefined : this.#images.read(found);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async listImages(
    options: { readonly onDamaged?: (digest: string, error: unknown) => void } = {},
  ): Promise<readonly StoredImage[]> {
    if (!this.#place.exists()) return [];
    const onDamaged = options.onDamaged ?? (() => undefined);
    const images: StoredImage[] = [];
    for (const commit of this.#images.list(onDamaged)) {
      try {
        images.push(this.#images.read(commit));
      } catch (error) {
        onDamaged(commit.digest, error);
      }
    }
    return images;
  }

  async addName(name: string, digest: Digest): Promise<void> {
    if (this.#place.exists()) await this.#place.hold();
    const image = this.#place.exists() ? this.#commitOf(digest) : undefined;
    if (image === undefined) {
      throw new OperationalError('IMAGE_NOT_FOUND', `there is no image ${digest} in the store`);
    }
    await onRepositoryAsync(this.#place.root, () => this.#pointName(name, digest));
  }

  async removeName(name: string): Promise<void> {
    if (!this.#place.exists()) return;
    await onRepositoryAsync(this.#place.root, async () => {
      const image = findByName(this.#list(), name);
      if (image === undefined) return;
      await this.#keepWithoutName(image);
      const full = fullName(name);
      for (const known of image.names) {
        if (known !== name && (image.names.includes(name) || fullName(known) !== full)) continue;
        await setRef(this.#place.repo, { ref: nameRef(known), checksum: undefined });
      }
    });
  }

  async openTree(image: StoredImage): Promise<ImageTree> {
    await this.#holdExisting();
    return {
      root: this.#merge(image.config.diffIds, image.manifest.layers),
      // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
      readFile: async (node, { maxBytes }) => readContent(this.#place, node, maxBytes),
    };
  }

  async checkout(
    tree: ImageTree,
    directory: string,
    options: CheckoutOptions = {},
  ): Promise<CheckoutResult> {
    await this.#holdExisting();
    return onRepositoryAsync(directory, async () => {
      const { root, created } = addMountPoints(tree.root, options.mountPoints ?? []);
      const rootFd = openSync(
        directory,
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      try {
        const checkout = new Checkout({
          contents: new RepositoryContents(this.#place),
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
    const lock = await this.#place.holdAlone();
    try {
      const keep = typeof options.keep === 'function' ? await options.keep() : options.keep;
      for (const image of await this.listImages()) {
        if (keep.has(image.digest) || options.unname?.(image) !== true) continue;
        for (const name of image.names) await this.removeName(name);
      }
      return await onRepositoryAsync(this.#place.root, () =>
        prune({
          place: this.#place,
          catalogue: this.#catalogue,
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
    return onRepositoryAsync(directory, () =>
      mendCheckout(tree.root, directory, {
        contents: new RepositoryContents(this.#place),
        signal: options.signal,
      }),
    );
  }

  async discard({ kind, id, layers }: FsckProblem): Promise<boolean> {
    return onRepositoryAsync(this.#place.root, async () => {
      if (kind === 'object' && layers.length === 0 && isChecksum(id)) {
        deleteObject(this.#place.repo, { type: 'file', checksum: id });
        return true;
      }
      if (kind !== 'name' || parseImageRef(id) === undefined) return false;
      await setRef(this.#place.repo, { ref: id, checksum: undefined });
      return true;
    });
  }

  async fsck(options: FsckOptions = {}): Promise<FsckReport> {
    if (!this.#place.exists()) return { checkedObjects: 0, problems: [] };
    await this.#place.hold(options.signal);
    return onRepositoryAsync(this.#place.root, () =>
      fsck({
        place: this.#place,
        catalogue: this.#catalogue,
        images: this.#images,
        layers: this.#layers,
        signal: options.signal,
        only: options.images,
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
  }

  async #prepare(): Promise<void> {
    await this.#place.prepare();
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

  /** Runs `body` on the repository opened once more, since the common one may be in use for reading. */
  async #writing(body: (repo: Repo) => Promise<void>): Promise<void> {
    using repo = this.#place.openAnother();
    await body(repo);
  }

  #merge(diffIds: readonly Digest[], blobs: readonly { readonly digest: Digest }[]): DirectoryNode {
    const key = diffIds.join(' ');
    const layers = diffIds.map((diffId, index) => this.#layers.read(diffId, blobs[index]?.digest));
    if (this.#lastTree?.key !== key) this.#lastTree = { key, root: mergeLayers(layers) };
    return this.#lastTree.root;
  }

  #findLayer(diffId: Digest, blob: Digest | undefined): LayerCommit {
    const layer = this.#catalogue.findLayer(diffId, blob);
    if (layer === undefined) throw new Error(`internal error: layer ${diffId} was read just now`);
    return layer;
  }

  async #pointName(name: string, digest: Digest): Promise<void> {
    const all = this.#list();
    const image = all.find((one) => one.digest === digest);
    if (image === undefined) return;
    const other = all.find(({ names }) => names.includes(name));
    if (other !== undefined && other !== image) await this.#keepWithoutName(other);
    const { checksum } = image.commit;
    await setRef(this.#place.repo, { ref: nameRef(name), checksum });
  }

  /** Until it is pruned an image stays without its names, and can be named by its digest. */
  async #keepWithoutName({ digest, commit, refs }: ImageCommit): Promise<void> {
    const ref = blobRef(digest);
    if (refs.includes(ref)) return;
    await setRef(this.#place.repo, { ref, checksum: commit.checksum });
  }

  #list(): ImageCommit[] {
    return this.#images.list(() => undefined);
  }

  #commitOf(digest: Digest): ImageCommit | undefined {
    return this.#list().find((image) => image.digest === digest);
  }

  #imageOf(digest: Digest): StoredImage | undefined {
    const image = this.#commitOf(digest);
    return image === undefined ? undefined : this.#images.read(image);
  }
}

/** The image of a name as it stands, else in full: atomic wrote names as they were typed. */
function findByName(all: readonly ImageCommit[], name: string): ImageCommit | undefined {
  const full = fullName(name);
  return (
    all.find(({ names }) => names.includes(name)) ??
    all.find(({ names }) => names.some((known) => fullName(known) === full))
  );
}
