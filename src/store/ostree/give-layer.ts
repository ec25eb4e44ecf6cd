import {
  fsckObject,
  openFile,
  readTree,
  type Repo,
  type TreeChecksums,
} from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { LayerSink } from '../../layer/layer-sink.js';
import type { LayerDirectory, LayerNode } from '../layer-tree.js';
import type { LayerCommit } from './commit-catalogue.js';
import { objectOf } from './layer-files.js';

/** Read at once of a file. */
const PIECE_BYTES = 1024 * 1024;

/** Entries between two questions whether the sink can take more. */
const ENTRIES_BETWEEN_DRAINS = 256;

/** Where {@link giveLayer} sends a layer. */
export interface LayerTaker {
  readonly sink: LayerSink;
  readonly signal: AbortSignal;
  /** Called with the bytes of content so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Hashes every object of a layer again: commit, folders, links, files, all of them named after what they hold.
 *
 * @throws `OstreeError` for the first that is damaged or missing; `OperationalError` CANCELLED
 */
export async function checkLayerObjects(
  repo: Repo,
  { commit }: LayerCommit,
  signal: AbortSignal,
): Promise<void> {
  const checked = new Set<string>();
  const once = async (
    type: 'commit' | 'dirmeta' | 'dirtree' | 'file',
    checksum: TreeChecksums['metadata'],
  ): Promise<void> => {
    if (checked.has(checksum)) return;
    checked.add(checksum);
    throwIfCancelled(signal);
    await fsckObject(repo, { type, checksum });
  };
  const visit = async ({ metadata, contents }: TreeChecksums): Promise<void> => {
    await once('dirmeta', metadata);
    await once('dirtree', contents);
    const { files, directories } = readTree(repo, contents);
    for (const object of files.values()) await once('file', object);
    for (const inner of directories.values()) await visit(inner);
  };
  await once('commit', commit.checksum);
  await visit(commit.tree);
}

/**
 * Sends the tree of a layer into a sink, as the layer's archive would have come: names of one file as hard links, whiteouts
 * as whiteouts.
 *
 * @throws `OstreeError`; `OperationalError` CANCELLED, STORE_INVALID; what the sink throws
 */
export async function giveLayer(
  repo: Repo,
  root: LayerDirectory,
  taker: LayerTaker,
): Promise<void> {
  await new Giver(repo, taker).give(root);
}

class Giver {
  readonly #repo: Repo;
  readonly #taker: LayerTaker;
  readonly #sink: LayerSink;
  readonly #places = new Map<LayerNode, string>();
  readonly #buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #entries = 0;
  #bytes = 0;

  constructor(repo: Repo, taker: LayerTaker) {
    this.#repo = repo;
    this.#taker = taker;
    this.#sink = taker.sink;
  }

  async give(root: LayerDirectory): Promise<void> {
    // First, while nothing is there that they could be taken for a link to.
    this.#linksBelow(root, '');
    await this.#directory(root, '');
    await this.#sink.drain();
  }

  #linksBelow(directory: LayerDirectory, prefix: string): void {
    for (const [name, node] of directory.entries) {
      if (node.kind === 'directory') this.#linksBelow(node, `${prefix}${name}/`);
      else if (node.kind === 'link-below') this.#sink.addHardLink(`${prefix}${name}`, node.target);
    }
  }

  async #directory(directory: LayerDirectory, path: string): Promise<void> {
    const sink = this.#sink;
    const prefix = path === '' ? '' : `${path}/`;
    if (directory.meta !== undefined) sink.addDirectory(path, directory.meta);
    if (directory.opaque) sink.addOpaque(path);
    for (const name of directory.whiteouts ?? []) sink.addWhiteout(`${prefix}${name}`);
    for (const [name, node] of directory.entries) await this.#entry(node, `${prefix}${name}`);
  }

  async #entry(node: LayerNode, path: string): Promise<void> {
    this.#entries += 1;
    if (this.#entries % ENTRIES_BETWEEN_DRAINS === 0) await this.#pause();
    if (node.kind === 'directory') {
      await this.#directory(node, path);
      return;
    }
    if (node.kind === 'link-below') return;
    const first = this.#places.get(node);
    if (first !== undefined) {
      this.#sink.addHardLink(path, first);
      return;
    }
    this.#places.set(node, path);
    if (node.kind === 'symlink') this.#sink.addSymlink(path, node.target, node.meta);
    else if (node.kind !== 'file') this.#sink.addSpecial(path, node);
    else {
      this.#sink.beginFile(path, { meta: node.meta, size: node.size });
      if (node.size > 0) await this.#content(node);
      this.#sink.endFile();
    }
  }

  async #content(node: LayerNode & { readonly kind: 'file' }): Promise<void> {
    const object = objectOf(node);
    if (object === undefined) throw new Error('internal error: a file of another store');
    using file = openFile(this.#repo, object);
    let left = node.size;
    for (let length = file.read(this.#buffer); length > 0; length = file.read(this.#buffer)) {
      left -= length;
      if (left < 0) break;
      this.#sink.writeFile(this.#buffer.subarray(0, length));
      this.#bytes += length;
      await this.#pause();
    }
    if (left === 0) return;
    throw new OperationalError('STORE_INVALID', `object ${object} of the repository is damaged`, {
      hint: 'pull the image again',
    });
  }

  async #pause(): Promise<void> {
    throwIfCancelled(this.#taker.signal);
    this.#taker.onProgress?.(this.#bytes);
    await this.#sink.ready();
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted)
    throw new OperationalError('CANCELLED', 'taking over a layer was interrupted');
}
