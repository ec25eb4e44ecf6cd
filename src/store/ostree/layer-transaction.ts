import {
  beginTransaction,
  markCommitPartial,
  variantString,
  type Checksum,
  type Repo,
  type Transaction,
  type TreeChecksums,
  type VariantDict,
} from '../../../ostree-adapter/index.js';
import type { NodeMeta } from '../../layer/tree.js';
import type { LayerTransaction } from '../image-store.js';
import { LayerCollector } from '../layer-collector.js';
import { layerDisputed } from '../layer-disputed.js';
import type { LayerToBegin } from '../layered-store.js';
import { BareObjectWriter, writesBareObjects } from './bare-object-writer.js';
import type { CommitCatalogue } from './commit-catalogue.js';
import { CONTENT_BYTES, DIFF_ID, TAKEN_OVER } from './commit-keys.js';
import type { LayerReader } from './layer-reader.js';
import { LibraryObjectWriter, type RepositoryObjectWriter } from './library-object-writer.js';
import { blobRef, takenOverRef } from './ref-names.js';
import { onRepositoryAsync, repositoryError } from './repository-error.js';
import type { RepositoryPlace } from './repository-place.js';
import type { ScratchRepository } from './scratch-repository.js';
import { isOpenToOthers, TameObjectWriter } from './tame-objects.js';
import { writeLayerTree } from './write-layer-tree.js';

/** What a {@link RepositoryLayerTransaction} takes in, and where. */
export interface LayerToTake extends LayerToBegin {
  readonly place: RepositoryPlace;
  readonly catalogue: CommitCatalogue;
  readonly layers: LayerReader;
  /** Opened for this layer alone; disposed of at its end. */
  readonly repo: Repo;
  /** Where objects go that may be there already, damaged; `replace` says which are. */
  readonly scratch: ScratchRepository | undefined;
}

/** A layer being taken into a repository: content into objects as it arrives, everything else into its tree. */
export class RepositoryLayerTransaction implements LayerTransaction {
  readonly sink: LayerCollector;
  readonly #layer: LayerToTake;
  readonly #transaction: Transaction;
  readonly #objects: RepositoryObjectWriter;
  #ended = false;

  constructor(layer: LayerToTake, transaction: Transaction) {
    this.#layer = layer;
    this.#transaction = transaction;
    const { place, repo, replace = [] } = layer;
    const objects = writesBareObjects(place)
      ? new BareObjectWriter(place, { repo, replace })
      : new LibraryObjectWriter(transaction, place);
    this.#objects =
      place.mode === 'bare' && isOpenToOthers(place.root) ? new TameObjectWriter(objects) : objects;
    const errorOf = (thrown: unknown): unknown => repositoryError(thrown, layer.place.root);
    this.sink = new LayerCollector(this.#objects, { keptMeta: timeless, errorOf });
  }

  /**
   * In two transactions: libostree moves new objects into place in any order, and a commit without its objects, however
   * short, is a repository that `ostree fsck` refuses.
   */
  async commit(): Promise<void> {
    const tree = this.sink.finish();
    await onRepositoryAsync(this.#layer.place.root, async () => {
      const written = writeLayerTree(this.#transaction, tree);
      const { scratch, replace = [], takenOver } = this.#layer;
      const isNews = !takenOver || this.#isNews(written.tree);
      await this.#objects.publish();
      if (scratch === undefined) await this.#transaction.commit();
      else await scratch.publish(new Set([...replace, written.record]));
      if (isNews) await this.#writeCommits(written.tree, tree.contentBytes);
    });
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      await this.#objects[Symbol.asyncDispose]();
      await this.#transaction[Symbol.asyncDispose]();
      await this.#layer.scratch?.[Symbol.asyncDispose]();
    } finally {
      this.#layer.repo[Symbol.dispose]();
      this.#layer.onEnd();
    }
  }

  /**
   * Whether a layer that is taken over has to be written: not where it was hashed by somebody.
   *
   * @throws `OperationalError` LAYER_DISPUTED
   */
  #isNews(tree: TreeChecksums): boolean {
    const { diffId, catalogue, layers } = this.#layer;
    const known = catalogue.findLayer(diffId);
    if (known === undefined || !layers.isReadable(known)) return true;
    if (!known.isTakenOver) return false;
    const { contents, metadata } = known.commit.tree;
    if (contents !== tree.contents || metadata !== tree.metadata) throw layerDisputed(diffId);
    return true;
  }

  /** The layer by its diff id; and where it is there already under the digest of a blob, that becomes the new one too. */
  async #writeCommits(tree: TreeChecksums, contentBytes: number): Promise<void> {
    const { diffId, catalogue, repo, takenOver } = this.#layer;
    const own = new Map([
      [DIFF_ID, variantString(diffId)],
      [CONTENT_BYTES, variantString(`${contentBytes}`)],
      ...(takenOver ? [[TAKEN_OVER, variantString('1')] as const] : []),
    ]);
    await using transaction = await beginTransaction(repo);
    const timestampSeconds = Math.floor(Date.now() / 1000);
    const known = catalogue.layers().filter((layer) => layer.diffId === diffId);
    const takenOverAs = takenOverRef(diffId);
    const refs = new Map<string, VariantDict>();
    if (takenOver) refs.set(takenOverAs, own);
    else {
      for (const { ref, commit, isTakenOver } of known)
        if (!isTakenOver) refs.set(ref, new Map([...commit.metadata, ...own]));
      if (refs.size === 0) refs.set(blobRef(diffId), own);
      if (catalogue.refs().has(takenOverAs)) transaction.setRef(takenOverAs, undefined);
    }
    const written: Checksum[] = [];
    for (const [ref, metadata] of refs) {
      const checksum = await transaction.writeCommit({ tree, metadata, timestampSeconds });
      transaction.setRef(ref, checksum);
      written.push(checksum);
    }
    await transaction.commit();
    if (this.#layer.scratch === undefined) return;
    // What `ostree fsck` found damaged it marks, and goes on refusing.
    for (const checksum of written) markCommitPartial(repo, { checksum, isPartial: false });
  }
}

/** OSTree keeps no times, and everything of its checkouts is of the epoch: then so is everything here, lest some files be and others not. */
function timeless(meta: NodeMeta): NodeMeta {
  const { mode, uid, gid, xattrs } = meta;
  return { mode, uid, gid, mtimeSeconds: 0, mtimeNanoseconds: 0, xattrs };
}
