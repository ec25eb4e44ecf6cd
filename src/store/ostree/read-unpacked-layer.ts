import {
  openFile,
  readDirectoryMetadata,
  readTree,
  type Checksum,
  type FileHeader,
  type Repo,
  type TreeChecksums,
} from '../../../ostree-adapter/index.js';
import { OperationalError } from '../../errors/operational-error.js';
import { filterXattrs } from '../../layer/filter-xattrs.js';
import { DEFAULT_LAYER_LIMITS } from '../../layer/limits.js';
import { encodeByteString, type NodeMeta } from '../../layer/tree.js';
import { classifyWhiteout } from '../../layer/whiteout.js';
import {
  impliedDirectory,
  type LayerDirectory,
  type LayerNode,
  type LayerTree,
} from '../layer-tree.js';
import { MAX_TREE_DEPTH } from '../walk-tree.js';
import { repositoryFile } from './layer-files.js';

/**
 * The tree of a layer that another tool put in: unpacked as it was, `.wh.` files among the others. What a directory's
 * entry said and what the unpacker made up for one that had none is the same there, so every directory counts as named.
 * Names that are no text, devices and FIFOs were left out by whoever wrote it.
 *
 * @throws `OperationalError` LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED for what {@link applyLayer} would not take either;
 * `OstreeError` for missing objects
 */
export function readUnpackedLayer(
  repo: Repo,
  tree: TreeChecksums,
  digestOf: (object: Checksum) => string,
): LayerTree {
  return new Reader(repo, digestOf).layer(tree);
}

class Reader {
  readonly #repo: Repo;
  readonly #digestOf: (object: Checksum) => string;
  /** Names of one object are names of one file, as they are in every checkout. */
  readonly #files = new Map<Checksum, LayerNode>();
  readonly #metas = new Map<Checksum, NodeMeta>();
  #contentBytes = 0;
  #entries = 0;

  constructor(repo: Repo, digestOf: (object: Checksum) => string) {
    this.#repo = repo;
    this.#digestOf = digestOf;
  }

  layer(tree: TreeChecksums): LayerTree {
    const root = this.#directory(tree, '', 0);
    return { root, contentBytes: this.#contentBytes };
  }

  #directory(tree: TreeChecksums, path: string, depth: number): LayerDirectory {
    if (depth > MAX_TREE_DEPTH) throw exceeded('its folders are too deep');
    const directory = impliedDirectory();
    directory.meta = this.#metaOf(tree.metadata);
    const { files, directories } = readTree(this.#repo, tree.contents);
    this.#count(files.size + directories.size);
    for (const [text, object] of files) {
      const name = encodeByteString(text);
      const whiteout = classifyWhiteout(name);
      if (whiteout === undefined)
        directory.entries.set(name, this.#file(object, `${path}/${name}`));
      else if (whiteout.kind === 'opaque') directory.opaque = true;
      else if (whiteout.kind === 'whiteout') {
        directory.whiteouts ??= new Set();
        directory.whiteouts.add(whiteout.path);
      }
    }
    for (const [text, checksums] of directories) {
      const name = encodeByteString(text);
      const own = `${path}/${name}`;
      if (classifyWhiteout(`${name}/.`) !== undefined) continue;
      directory.entries.set(name, this.#directory(checksums, own, depth + 1));
    }
    return directory;
  }

  #file(object: Checksum, path: string): LayerNode {
    let node = this.#files.get(object);
    if (node === undefined) {
      node = this.#read(object, path);
      this.#files.set(object, node);
    }
    if (node.kind === 'file') this.#contentBytes += node.size;
    return node;
  }

  #read(object: Checksum, path: string): LayerNode {
    using file = openFile(this.#repo, object);
    const { header, size } = file;
    if (header.kind === 'symlink') {
      const meta = metaOf({ ...header, mode: 0o777 }, { type: 'symlink', path });
      return { kind: 'symlink', meta, target: encodeByteString(header.target) };
    }
    const meta = metaOf(header, { type: 'file', path });
    return repositoryFile({ meta, size, object }, this.#digestOf);
  }

  #metaOf(checksum: Checksum): NodeMeta {
    let meta = this.#metas.get(checksum);
    if (meta === undefined) {
      meta = metaOf(readDirectoryMetadata(this.#repo, checksum), { type: 'directory', path: '' });
      this.#metas.set(checksum, meta);
    }
    return meta;
  }

  #count(entries: number): void {
    this.#entries += entries;
    if (this.#entries > DEFAULT_LAYER_LIMITS.maxEntries) throw exceeded('it has too many files');
  }
}

/** OSTree has no times: everything is of the epoch. */
function metaOf(
  {
    mode,
    uid,
    gid,
    xattrs,
  }: Pick<FileHeader, 'uid' | 'gid' | 'xattrs'> & { readonly mode: number },
  owner: { readonly type: 'file' | 'directory' | 'symlink'; readonly path: string },
): NodeMeta {
  const all = xattrs.map(([name, value]) => ({ name, value: Buffer.from(value) }));
  const { kept } = filterXattrs(all, owner, DEFAULT_LAYER_LIMITS);
  return { mode, uid, gid, mtimeSeconds: 0, mtimeNanoseconds: 0, xattrs: kept };
}

function exceeded(why: string): OperationalError {
  return new OperationalError('LAYER_LIMIT_EXCEEDED', `refusing a layer of the repository: ${why}`);
}
