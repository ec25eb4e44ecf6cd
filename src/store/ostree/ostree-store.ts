import {
  beginTransaction,
  deleteObject,
  isChecksum,
  setRef,
  type Repo,
} from '../../../ostree-adapter/index.js';
import type { FileNode } from '../../layer/tree.js';
import type { Digest } from '../../oci/digest.js';
import type {
  FsckOptions,
  FsckProblem,
  ImageStore,
  LayerTransaction,
  NewImage,
  PruneResult,
  RootSealing,
  StoredImage,
} from '../image-store.js';
import type { LayerTree } from '../layer-tree.js';
import { LayeredStore, type LayerToBegin } from '../layered-store.js';
import { CommitCatalogue, type LayerCommit } from './commit-catalogue.js';
import { fsck } from './fsck.js';
import { findByName, findImageCommit, ImageCommits, type ImageCommit } from './image-commits.js';
import { LayerReader } from './layer-reader.js';
import { RepositoryLayerTransaction } from './layer-transaction.js';
import { readContent, RepositoryContents } from './object-contents.js';
import { prune } from './prune.js';
import { blobRef, fullName, nameRef, parseImageRef } from './ref-names.js';
import { onRepositoryAsync, repositoryError } from './repository-error.js';
import { RepositoryPlace, type RepositorySealing } from './repository-place.js';
import { ScratchRepository } from './scratch-repository.js';
import { sealedContents } from './sealed-contents.js';
import { writeImage } from './write-image.js';

/**
 * Opens an OSTree repository as a store. Nothing is made before something is written, libostree is not loaded before there is
 * a repository, and nothing is locked before layers or objects are used: listing images waits for nobody.
 */
export function openOstreeStore(root: string, wanted: RepositorySealing = {}): ImageStore {
  return new OstreeStore(new RepositoryPlace(root, wanted));
}

class OstreeStore extends LayeredStore {
  readonly kind = 'ostree';
  readonly #place: RepositoryPlace;
  readonly #catalogue: CommitCatalogue;
  readonly #images: ImageCommits;
  readonly #layers: LayerReader;

  constructor(place: RepositoryPlace) {
    super(place);
    this.#place = place;
    this.#catalogue = new CommitCatalogue(() => place.repo);
    this.#images = new ImageCommits(place, this.#catalogue);
    this.#layers = new LayerReader(place, this.#catalogue);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  async findImage(nameOrDigest: string): Promise<StoredImage | undefined> {
    if (!this.#place.exists()) return undefined;
    const found = findImageCommit(this.#list(), nameOrDigest);
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
    await this.assertThere(digest, () => this.#commitOf(digest) !== undefined);
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

  protected override sealing(): RootSealing | undefined {
    const wanted = this.#place.exists() ? this.#place.composefs : 'no';
    return wanted === 'no' ? undefined : { wanted, objects: this.#place.path('objects') };
  }

  protected override sealedContents(): ReturnType<typeof sealedContents> {
    return sealedContents(this.#place);
  }

  protected errorOf(thrown: unknown, place: string): unknown {
    return repositoryError(thrown, place);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  protected async isLayerSound(diffId: Digest, takenOver: boolean): Promise<boolean> {
    return this.#layers.has(diffId, { takenOver });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  protected async readLayer(diffId: Digest, blob: Digest | undefined): Promise<LayerTree> {
    return this.#layers.read(diffId, blob);
  }

  protected async begin(layer: LayerToBegin): Promise<LayerTransaction> {
    const { replace } = layer;
    const repo = this.#place.openAnother();
    let scratch: ScratchRepository | undefined;
    try {
      if (replace !== undefined) scratch = await ScratchRepository.open(this.#place);
      const transaction = scratch?.transaction ?? (await beginTransaction(repo));
      return new RepositoryLayerTransaction(
        {
          ...layer,
          place: this.#place,
          catalogue: this.#catalogue,
          layers: this.#layers,
          repo,
          scratch,
        },
        transaction,
      );
    } catch (error) {
      await scratch?.[Symbol.asyncDispose]();
      repo[Symbol.dispose]();
      throw error;
    }
  }

  protected async record(image: NewImage): Promise<void> {
    const { diffIds } = image.config;
    const { layers } = image.manifest;
    const found = diffIds.map((diffId, index) => this.#findLayer(diffId, layers[index]?.digest));
    for (const other of this.#list()) {
      if (other.names.some((name) => image.names.includes(name)))
        await this.#keepWithoutName(other);
    }
    await this.#writing((repo) =>
      writeImage({ image, layers: found, catalogue: this.#catalogue, repo }),
    );
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
  protected async findRecorded(digest: Digest): Promise<StoredImage | undefined> {
    const image = this.#commitOf(digest);
    return image === undefined ? undefined : this.#images.read(image);
  }

  protected contents(): RepositoryContents {
    return new RepositoryContents(this.#place);
  }

  protected readContent(node: FileNode, maxBytes: number): Buffer {
    return readContent(this.#place, node, maxBytes);
  }

  protected removeUnneeded(keep: ReadonlySet<Digest>): Promise<PruneResult> {
    return prune({ ...this.#readers, keep });
  }

  protected check({ signal, images }: FsckOptions): ReturnType<typeof fsck> {
    return fsck({ ...this.#readers, signal, only: images });
  }

  protected async remove({ kind, id, layers }: FsckProblem): Promise<boolean> {
    if (kind === 'object' && layers.length === 0 && isChecksum(id)) {
      deleteObject(this.#place.repo, { type: 'file', checksum: id });
      return true;
    }
    if (kind !== 'name' || parseImageRef(id) === undefined) return false;
    await setRef(this.#place.repo, { ref: id, checksum: undefined });
    return true;
  }

  get #readers(): {
    readonly place: RepositoryPlace;
    readonly catalogue: CommitCatalogue;
    readonly images: ImageCommits;
    readonly layers: LayerReader;
  } {
    return {
      place: this.#place,
      catalogue: this.#catalogue,
      images: this.#images,
      layers: this.#layers,
    };
  }

  /** Runs `body` on the repository opened once more, since the common one may be in use for reading. */
  async #writing(body: (repo: Repo) => Promise<void>): Promise<void> {
    using repo = this.#place.openAnother();
    await body(repo);
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
}
