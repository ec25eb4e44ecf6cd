import {
  createFileHash,
  openFile,
  OstreeError,
  readTree,
  type Checksum,
  type Commit,
  type Repo,
} from '../../../ostree-adapter/index.js';
import { createHash } from 'node:crypto';

import { OperationalError } from '../../errors/operational-error.js';
import type { FileNode } from '../../layer/tree.js';
import { parseChecksum } from '../../../ostree-adapter/index.js';
import type { Digest } from '../../oci/digest.js';
import { decodeLayer } from '../layer-file.js';
import type { LayerTree } from '../layer-tree.js';
import type { CommitCatalogue, LayerCommit } from './commit-catalogue.js';
import { LAYER_RECORD_FILE } from './commit-keys.js';
import { mapFiles, repositoryFile } from './layer-files.js';
import { readUnpackedLayer } from './read-unpacked-layer.js';
import { repositoryError } from './repository-error.js';

/** Read at once while hashing. */
const PIECE_BYTES = 1024 * 1024;

/** Where {@link LayerReader} reads. */
export interface LayerReaderPlace {
  readonly root: string;
  readonly repo: Repo;
}

/** The trees of the layers of a repository. */
export class LayerReader {
  readonly #place: LayerReaderPlace;
  readonly #catalogue: CommitCatalogue;
  readonly #digestOf = (object: Checksum): string => this.#contentDigest(object);

  constructor(place: LayerReaderPlace, catalogue: CommitCatalogue) {
    this.#place = place;
    this.#catalogue = catalogue;
  }

  /** Whether a layer is there and can be read. One that was taken over counts with `takenOver`. */
  has(diffId: Digest, { takenOver }: { readonly takenOver: boolean }): boolean {
    const layer = this.#catalogue.findLayer(diffId);
    if (layer === undefined || (layer.isTakenOver && !takenOver)) return false;
    return this.isReadable(layer);
  }

  /** Whether the tree of a layer can be read. @throws `OperationalError` STORE_FORMAT if a newer berth wrote it */
  isReadable(layer: LayerCommit): boolean {
    try {
      this.readCommit(layer);
      return true;
    } catch (error) {
      // A damaged one counts as missing, so that pulling again repairs it.
      if (error instanceof OperationalError && error.code !== 'STORE_FORMAT') return false;
      throw error;
    }
  }

  /**
   * The tree of a layer; `blob` is the digest under which an image lists it.
   *
   * @throws `OperationalError` STORE_INVALID if it is missing or damaged
   */
  read(diffId: Digest, blob?: Digest): LayerTree {
    const layer = this.#catalogue.findLayer(diffId, blob);
    if (layer === undefined) {
      throw new OperationalError('STORE_INVALID', `layer ${diffId} is not in the repository`, {
        hint: 'pull the image again',
      });
    }
    return this.readCommit(layer);
  }

  /** @throws `OperationalError` STORE_INVALID if it is damaged, STORE_FORMAT if a newer berth wrote it */
  readCommit({ commit, contentBytes, ref }: LayerCommit): LayerTree {
    try {
      // Only berth's commits have it. A file of that name in another tool's comes from an image, and might name any object.
      if (contentBytes !== undefined) return this.#readRecord(commit, ref);
      return readUnpackedLayer(this.#place.repo, commit.tree, this.#digestOf);
    } catch (error) {
      throw repositoryError(error, this.#place.root);
    }
  }

  #readRecord(commit: Commit, ref: string): LayerTree {
    const object = recordOf(this.#place.repo, commit);
    if (object === undefined) {
      throw new OperationalError('STORE_INVALID', `the layer ${ref} has lost its record`, {
        hint: 'pull the image again',
      });
    }
    using file = openFile(this.#place.repo, object);
    const tree = decodeLayer(file.readAll(), ref);
    // The place of the digest has the name of the object.
    mapFiles(tree.root, (node) => this.#fileOf(node));
    return tree;
  }

  #fileOf({ meta, size, contentSha256 }: FileNode): FileNode {
    return repositoryFile({ meta, size, object: parseChecksum(contentSha256) }, this.#digestOf);
  }

  #contentDigest(object: Checksum): string {
    try {
      using file = openFile(this.#place.repo, object);
      const whole = createFileHash(file.header);
      const content = createHash('sha256');
      const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, file.size + 1));
      for (let length = file.read(buffer); length > 0; length = file.read(buffer)) {
        whole.update(buffer.subarray(0, length));
        content.update(buffer.subarray(0, length));
      }
      if (whole.digest('hex') === object) return content.digest('hex');
    } catch (error) {
      if (!isBadDisk(error)) throw repositoryError(error, this.#place.root);
    }
    throw new OperationalError('STORE_INVALID', `object ${object} of the repository is damaged`, {
      hint: "'berth fsck --repair' fetches it again",
    });
  }
}

/** What the disk cannot give, or fs-verity says was changed there; libostree tells it in words alone. */
function isBadDisk(error: unknown): boolean {
  return error instanceof OstreeError && error.message.includes('Input/output error');
}

/** The object of the record that berth keeps in the tree of a layer; undefined if there is none. */
export function recordOf(repo: Repo, commit: Commit): Checksum | undefined {
  return readTree(repo, commit.tree.contents).files.get(LAYER_RECORD_FILE);
}
