import { OperationalError } from '../errors/operational-error.js';
import type { FsckProblem, ImageStore, ImageTree } from './image-store.js';

/**
 * Two stores as one: what is put in goes into the first, what is looked for is looked for in the first and then in the
 * second. An image may be in both; it is listed twice then, and its name alone means the one in the first. Neither of the two is closed with it.
 */
export function combineStores(first: ImageStore, second: ImageStore): ImageStore {
  return new CombinedStore(first, second);
}

/** The stores that one consists of; itself, if it is not put together. */
export function partsOf(store: ImageStore): readonly ImageStore[] {
  return store instanceof CombinedStore ? store.parts : [store];
}

/** A tree may be opened through one combination and checked out through another of the same stores. */
const storeOfTree = new WeakMap<ImageTree, ImageStore>();

class CombinedStore implements ImageStore {
  readonly parts: readonly [ImageStore, ImageStore];
  readonly #first: ImageStore;

  constructor(first: ImageStore, second: ImageStore) {
    this.parts = [first, second];
    this.#first = first;
  }

  get kind(): ImageStore['kind'] {
    return this.#first.kind;
  }

  get folder(): string {
    return this.#first.folder;
  }

  readonly hasLayer: ImageStore['hasLayer'] = (diffId, options) =>
    this.#first.hasLayer(diffId, options);

  readonly reserveLayer: ImageStore['reserveLayer'] = (diffId, options) =>
    this.#first.reserveLayer(diffId, options);

  readonly beginLayer: ImageStore['beginLayer'] = (diffId, options) =>
    this.#first.beginLayer(diffId, options);

  readonly addImage: ImageStore['addImage'] = (image) => this.#first.addImage(image);

  readonly findImage: ImageStore['findImage'] = async (nameOrDigest) => {
    for (const store of this.parts) {
      const image = await store.findImage(nameOrDigest);
      if (image !== undefined) return image;
    }
    return undefined;
  };

  readonly listImages: ImageStore['listImages'] = async (options) => {
    const lists = [];
    for (const store of this.parts) lists.push(await store.listImages(options));
    return lists.flat();
  };

  readonly addName: ImageStore['addName'] = async (name, digest) => {
    const store = await this.#storeWith(digest);
    if (store === undefined) {
      throw new OperationalError('IMAGE_NOT_FOUND', `there is no image ${digest} in the store`);
    }
    await store.addName(name, digest);
  };

  readonly removeName: ImageStore['removeName'] = async (name) => {
    await (await this.#storeWith(name))?.removeName(name);
  };

  readonly openTree: ImageStore['openTree'] = async (image) => {
    const store = this.parts.find(({ kind }) => kind === image.storage) ?? this.#first;
    const tree = await store.openTree(image);
    storeOfTree.set(tree, store);
    return tree;
  };

  readonly checkout: ImageStore['checkout'] = (tree, directory, options) =>
    this.#storeOf(tree).checkout(tree, directory, options);

  readonly rootSealing: ImageStore['rootSealing'] = (tree) => this.#storeOf(tree).rootSealing(tree);

  readonly encodeSealedRoot: ImageStore['encodeSealedRoot'] = (tree, mountPoints) =>
    this.#storeOf(tree).encodeSealedRoot(tree, mountPoints);

  readonly findReplaced: ImageStore['findReplaced'] = (tree, mountPoints, image) =>
    this.#storeOf(tree).findReplaced(tree, mountPoints, image);

  readonly mendCheckout: ImageStore['mendCheckout'] = (tree, directory, options) =>
    this.#storeOf(tree).mendCheckout(tree, directory, options);

  /** An image that is to be kept is kept in both: who uses it may have it from either. */
  readonly prune: ImageStore['prune'] = async (options) => {
    const sum = { images: 0, layers: 0, objects: 0, freedBytes: 0 };
    for (const store of this.parts) {
      const one = await store.prune(options);
      sum.images += one.images;
      sum.layers += one.layers;
      sum.objects += one.objects;
      sum.freedBytes += one.freedBytes;
    }
    return sum;
  };

  readonly fsck: ImageStore['fsck'] = async (options) => {
    let checkedObjects = 0;
    const problems: FsckProblem[] = [];
    for (const store of this.parts) {
      const report = await store.fsck(options);
      checkedObjects += report.checkedObjects;
      problems.push(...report.problems);
    }
    return { checkedObjects, problems };
  };

  readonly discard: ImageStore['discard'] = async (problem) => {
    for (const store of this.parts) if (await store.discard(problem)) return true;
    return false;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever opened the two closes them.
  }

  async #storeWith(nameOrDigest: string): Promise<ImageStore | undefined> {
    for (const store of this.parts) {
      if ((await store.findImage(nameOrDigest)) !== undefined) return store;
    }
    return undefined;
  }

  #storeOf(tree: ImageTree): ImageStore {
    return storeOfTree.get(tree) ?? this.#first;
  }
}
