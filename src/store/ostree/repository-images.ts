import { statSync } from 'node:fs';

import { quote } from '../../base/escape-text.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { Digest } from '../../oci/digest.js';
import { CommitCatalogue } from './commit-catalogue.js';
import { checkLayerObjects, giveLayer, type LayerTaker } from './give-layer.js';
import { findImageCommit, ImageCommits } from './image-commits.js';
import { LayerReader } from './layer-reader.js';
import { onRepositoryAsync } from './repository-error.js';
import { RepositoryPlace } from './repository-place.js';

/** The documents of an image, byte for byte. */
export interface ImageDocuments {
  readonly digest: Digest;
  readonly manifestBytes: Uint8Array;
  readonly configBytes: Uint8Array;
}

/** A layer, as an image lists it. */
export interface WantedLayer {
  readonly diffId: Digest;
  /** Of its compressed archive. */
  readonly blob: Digest;
}

/**
 * The images of an OSTree repository, to be taken over into a store. Nothing is written to the repository; while this is
 * open, and once it was read, nothing is pruned from it.
 */
export class RepositoryImages implements AsyncDisposable {
  readonly #place: RepositoryPlace;
  readonly #catalogue: CommitCatalogue;
  readonly #images: ImageCommits;
  readonly #layers: LayerReader;

  constructor(root: string) {
    this.#place = new RepositoryPlace(root);
    this.#catalogue = new CommitCatalogue(() => this.#place.repo);
    this.#images = new ImageCommits(this.#place, this.#catalogue);
    this.#layers = new LayerReader(this.#place, this.#catalogue);
  }

  /** Where it is. */
  get root(): string {
    return this.#place.root;
  }

  /**
   * The documents of the image of a name or manifest digest, both hashed; undefined if there is no such image, or no
   * repository.
   *
   * @throws `OperationalError` STORE_INVALID if it is damaged
   */
  async find(nameOrDigest: string): Promise<ImageDocuments | undefined> {
    if (!this.#place.exists()) return undefined;
    return onRepositoryAsync(this.root, async () => {
      await this.#place.hold();
      const found = findImageCommit(
        this.#images.list(() => undefined),
        nameOrDigest,
      );
      return found === undefined
        ? undefined
        : { digest: found.digest, ...this.#images.readDocuments(found) };
    });
  }

  /**
   * Sends a layer into a sink, after all of its objects were hashed again.
   *
   * @throws `OperationalError` STORE_INVALID if it is missing or damaged, or somebody else could have written it; CANCELLED;
   * what the sink throws
   */
  async giveLayer({ diffId, blob }: WantedLayer, taker: LayerTaker): Promise<void> {
    this.#assertTrusted();
    await this.#place.hold(taker.signal);
    await onRepositoryAsync(this.root, async () => {
      const layer = this.#catalogue.findLayer(diffId, blob);
      if (layer === undefined) {
        throw new OperationalError('STORE_INVALID', `layer ${diffId} is not in the repository`);
      }
      await checkLayerObjects(this.#place.repo, layer, taker.signal);
      await giveLayer(this.#place.repo, this.#layers.readCommit(layer).root, taker);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
  }

  /**
   * OSTree names files after what they hold, but that these are the layer of a digest is what the repository says: there is no
   * archive to hash. So it is only believed where nobody else can have written to it.
   */
  #assertTrusted(): void {
    for (const path of [this.root, this.#place.path('objects'), this.#place.path('refs/heads')]) {
      const { uid, mode } = statSync(path);
      if ((uid === 0 || uid === process.geteuid?.()) && (mode & 0o022) === 0) continue;
      throw new OperationalError(
        'STORE_INVALID',
        `refusing the layers of ${quote(this.root)}: others can write to ${quote(path)}`,
        { hint: 'pull the image from its registry, or make the repository your own' },
      );
    }
  }
}
