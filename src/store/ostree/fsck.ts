import { existsSync } from 'node:fs';

import {
  fsckObject,
  OstreeError,
  readTree,
  type Checksum,
  type ObjectName,
  type TreeChecksums,
} from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { FileNode } from '../../layer/tree.js';
import type { Digest } from '../../oci/digest.js';
import { isSealed } from '../../sys/fs-verity.js';
import type { FsckProblem, FsckReport } from '../image-store.js';
import type { CommitCatalogue, LayerCommit } from './commit-catalogue.js';
import type { ImageCommit, ImageCommits } from './image-commits.js';
import { filesOf } from './layer-files.js';
import { recordOf, type LayerReader } from './layer-reader.js';
import { parseImageRef } from './ref-names.js';
import { repositoryError } from './repository-error.js';
import type { RepositoryPlace } from './repository-place.js';
import { isOpenToOthers, isTame, isWild } from './tame-objects.js';

/** What {@link fsck} looks at. The caller holds the repository, so that nothing is removed meanwhile. */
export interface FsckScope {
  readonly place: RepositoryPlace;
  readonly catalogue: CommitCatalogue;
  readonly images: ImageCommits;
  readonly layers: LayerReader;
  readonly signal: AbortSignal | undefined;
  /** Only what these images need. */
  readonly only: ReadonlySet<Digest> | undefined;
}

/** Content objects that are hashed side by side: reading one waits, hashing another does not. */
const SIDE_BY_SIDE = 4;

/** Reads everything of the images again and compares it with what it is named after. Other refs are `ostree fsck`'s. */
export async function fsck(scope: FsckScope): Promise<FsckReport> {
  const checker = new Checker(scope);
  // Top down, so that it is known which objects count; what is damaged is told from the bottom up.
  const images = await checker.images();
  const layers = await checker.layers();
  const objects = await checker.objects();
  return { checkedObjects: checker.checkedObjects, problems: [...objects, ...layers, ...images] };
}

class Checker {
  checkedObjects = 0;
  readonly #scope: FsckScope;
  #isOpen: boolean | undefined;
  /** Layers that images have, by diff id; with the blob that the image lists for it. */
  readonly #wanted = new Map<Digest, Digest | undefined>();
  /** Content objects of the layers that count, and which layers have them. */
  readonly #layersOf = new Map<Checksum, Digest[]>();
  readonly #lost: FsckProblem[] = [];
  /** Files of images, of which all have to be sealed where the repository says so. */
  readonly #files = new Set<Checksum>();
  /** Files that give users of the host more than their content, where all of them get at the repository. */
  readonly #openDoors = new Set<Checksum>();

  constructor(scope: FsckScope) {
    this.#scope = scope;
  }

  async images(): Promise<FsckProblem[]> {
    const { images, only } = this.#scope;
    const problems: FsckProblem[] = [];
    const all = images.list((ref, error) => {
      if (only !== undefined) return;
      const problem = messageOf(error);
      const parsed = parseImageRef(ref);
      const names = parsed?.kind === 'name' ? [parsed.name] : [];
      problems.push({ kind: 'name', id: ref, problem, layers: [], names });
    });
    for (const image of all) {
      if (only?.has(image.digest) === false) continue;
      problems.push(...(await this.#imageProblems(image)));
    }
    return problems;
  }

  async #imageProblems(image: ImageCommit): Promise<FsckProblem[]> {
    const { images, catalogue, place } = this.#scope;
    const { digest, names } = image;
    const found: FsckProblem[] = [];
    const report = (problem: string, layers: readonly Digest[] = []): void => {
      found.push({ kind: 'image', id: digest, problem, layers, names });
    };
    try {
      this.#throwIfCancelled();
      const { manifest, config } = images.read(image);
      await fsckObject(place.repo, { type: 'commit', checksum: image.commit.checksum });
      for (const [index, diffId] of config.diffIds.entries()) {
        const blob = manifest.layers[index]?.digest;
        this.#wanted.set(diffId, blob);
        const layer = catalogue.findLayer(diffId, blob);
        const problem = layer === undefined ? 'is missing' : this.#readProblem(layer);
        if (problem !== undefined) report(`layer ${diffId} ${problem}`, [diffId]);
      }
    } catch (error) {
      report(messageOf(repositoryError(error, place.root)));
    }
    return found;
  }

  async layers(): Promise<FsckProblem[]> {
    const { catalogue, only } = this.#scope;
    const problems: FsckProblem[] = [];
    const found = new Map<Digest, LayerCommit>();
    for (const layer of catalogue.layers()) {
      if (only === undefined || this.#wanted.has(layer.diffId)) found.set(layer.diffId, layer);
    }
    for (const [diffId, blob] of this.#wanted) {
      const layer = found.has(diffId) ? undefined : catalogue.findLayer(diffId, blob);
      if (layer !== undefined) found.set(diffId, layer);
    }
    for (const [diffId, layer] of found) {
      this.#throwIfCancelled();
      const problem = await this.#layerProblem(diffId, layer);
      if (problem !== undefined) {
        problems.push({ kind: 'layer', id: diffId, problem, layers: [diffId], names: [] });
      }
    }
    return problems;
  }

  /** What is wrong with a layer apart from the content of its files, whose names are noted. */
  async #layerProblem(diffId: Digest, layer: LayerCommit): Promise<string | undefined> {
    const { layers, place } = this.#scope;
    const { commit } = layer;
    try {
      const record = layer.contentBytes === undefined ? undefined : recordOf(place.repo, commit);
      if (record !== undefined) await fsckObject(place.repo, { type: 'file', checksum: record });
      const files = filesOf(layers.readCommit(layer).root);
      const objects = new Set(files.keys());
      this.#noteOpenDoors(files);
      for (const object of objects) this.#files.add(object);
      await fsckObject(place.repo, { type: 'commit', checksum: commit.checksum });
      await this.#checkTree(commit.tree, objects);
      for (const object of objects) {
        if (object === record) continue;
        const known = this.#layersOf.get(object);
        if (known === undefined) this.#layersOf.set(object, [diffId]);
        else known.push(diffId);
      }
      return undefined;
    } catch (error) {
      if (error instanceof OperationalError && error.code === 'CANCELLED') throw error;
      return messageOf(repositoryError(error, place.root));
    }
  }

  #noteOpenDoors(files: ReadonlyMap<Checksum, FileNode>): void {
    const { place } = this.#scope;
    this.#isOpen ??= place.mode === 'bare' && isOpenToOthers(place.root);
    if (!this.#isOpen) return;
    for (const [object, { meta }] of files)
      if (!isTame(meta) && isWild(place, object, meta)) this.#openDoors.add(object);
  }

  /** Hashes folders; what hangs in them, links and files without content too, is added to `objects`. */
  async #checkTree(tree: TreeChecksums, objects: Set<Checksum>): Promise<void> {
    this.#throwIfCancelled();
    const { repo } = this.#scope.place;
    await fsckObject(repo, { type: 'dirmeta', checksum: tree.metadata });
    await fsckObject(repo, { type: 'dirtree', checksum: tree.contents });
    const { files, directories } = readTree(repo, tree.contents);
    for (const object of files.values()) objects.add(object);
    for (const inner of directories.values()) {
      await this.#checkTree(inner, objects);
    }
  }

  async objects(): Promise<FsckProblem[]> {
    const problems: FsckProblem[] = [];
    const queue = [...this.#layersOf][Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const [object, layers] of queue) {
        this.#throwIfCancelled();
        const problem = await this.#objectProblem({ type: 'file', checksum: object }, layers);
        if (problem === undefined) continue;
        problems.push({ kind: 'object', id: object, problem, layers, names: [] });
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    return [...problems, ...this.#lost];
  }

  async #objectProblem(object: ObjectName, layers: readonly Digest[]): Promise<string | undefined> {
    try {
      await fsckObject(this.#scope.place.repo, object);
      this.checkedObjects += 1;
      if (this.#isUnsealed(object.checksum))
        return `object ${object.checksum} is not sealed by fs-verity, as the repository wants it`;
      if (this.#openDoors.has(object.checksum))
        return `object ${object.checksum} gives every user of the host what its image gives it (setuid, capabilities, an owner): the repository lets all in, and it came before berth kept such files harmless there`;
    } catch (error) {
      if (!(error instanceof OstreeError)) throw error;
      if (!error.isNotFound) {
        this.checkedObjects += 1;
        return error.message;
      }
      const problem = `object ${object.checksum} is missing`;
      for (const diffId of layers) {
        this.#lost.push({ kind: 'layer', id: diffId, problem, layers: [diffId], names: [] });
      }
    }
    return undefined;
  }

  #isUnsealed(object: Checksum): boolean {
    const { place } = this.#scope;
    if (place.mode !== 'bare' || place.sealing !== 'yes' || !this.#files.has(object)) return false;
    const name = `${object.slice(0, 2)}/${object.slice(2)}.file`;
    // One of the parent repository is that one's.
    return existsSync(place.path('objects', name)) && !isSealed({ dirFd: place.objectsFd, name });
  }

  #readProblem(layer: LayerCommit): string | undefined {
    try {
      this.#scope.layers.readCommit(layer);
      return undefined;
    } catch (error) {
      return `is damaged: ${messageOf(error)}`;
    }
  }

  #throwIfCancelled(): void {
    if (this.#scope.signal?.aborted === true) {
      throw new OperationalError('CANCELLED', 'checking the repository was interrupted');
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
