import {
  parseChecksum,
  type Checksum,
  type Transaction,
  type TreeChecksums,
  type Xattr,
} from '../../../ostree-adapter/index.js';
import { MAX_COMPONENT_BYTES } from '../../layer/limits.js';
import type { NodeMeta, SymlinkNode } from '../../layer/tree.js';
import { encodeLayer } from '../layer-file.js';
import {
  IMPLIED_META,
  type LayerDirectory,
  type LayerNode,
  type LayerTree,
} from '../layer-tree.js';
import { LAYER_RECORD_FILE, UNNAMED_PREFIX } from './commit-keys.js';

/** What files of berth's own making are: whiteouts, the record. */
const OWN_FILE = { kind: 'file', mode: 0o644, uid: 0, gid: 0, xattrs: [] } as const;
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** What {@link writeLayerTree} wrote. */
export interface WrittenLayer {
  readonly tree: TreeChecksums;
  /** The object of the record. */
  readonly record: Checksum;
}

/**
 * Writes the tree of a layer as OSTree knows trees, so that `ostree ls` and `ostree checkout` show what is in the layer, and
 * pruning keeps its objects: files and links under their names, whiteouts as the archive has them. What OSTree has no form
 * for (devices, FIFOs, names and targets that are not UTF-8, hard links to lower layers) stands in the record alone, and
 * the content of files without a name OSTree could keep hangs at the root.
 *
 * @throws `OstreeError`, `OstreeInputError`
 */
export function writeLayerTree(transaction: Transaction, tree: LayerTree): WrittenLayer {
  return new LayerTreeWriter(transaction).write(tree);
}

class LayerTreeWriter {
  readonly #transaction: Transaction;
  readonly #metas = new Map<string, Checksum>();
  readonly #unnamed = new Set<Checksum>();
  #whiteout: Checksum | undefined;

  constructor(transaction: Transaction) {
    this.#transaction = transaction;
  }

  write(tree: LayerTree): WrittenLayer {
    const record = this.#transaction.writeFile(OWN_FILE, encodeLayer(tree));
    const root = this.#directory(tree.root, (files) => {
      files.set(LAYER_RECORD_FILE, record);
      for (const object of this.#unnamed) files.set(`${UNNAMED_PREFIX}${object}`, object);
    });
    return { tree: root, record };
  }

  #directory(
    directory: LayerDirectory,
    addOwn: (files: Map<string, Checksum>) => void = () => undefined,
  ): TreeChecksums {
    const files = new Map<string, Checksum>();
    const directories = new Map<string, TreeChecksums>();
    for (const [bytes, node] of directory.entries) {
      const name = nameOf(bytes);
      if (name === undefined) this.#keepUnnamed(node);
      else if (node.kind === 'directory') directories.set(name, this.#directory(node));
      else {
        const object = this.#leaf(node);
        if (object !== undefined) files.set(name, object);
      }
    }
    if (directory.opaque) files.set(OPAQUE, this.#emptyFile());
    for (const bytes of directory.whiteouts ?? []) {
      const name = nameOf(WHITEOUT_PREFIX + bytes);
      if (name !== undefined) files.set(name, this.#emptyFile());
    }
    addOwn(files);
    const metadata = this.#metaOf(directory.meta ?? IMPLIED_META);
    return { contents: this.#transaction.writeTree({ files, directories }), metadata };
  }

  #leaf(node: Exclude<LayerNode, LayerDirectory>): Checksum | undefined {
    if (node.kind === 'file') return parseChecksum(node.contentSha256);
    return node.kind === 'symlink' ? this.#symlink(node) : undefined;
  }

  #symlink({ meta, target }: SymlinkNode): Checksum | undefined {
    const text = textOf(target);
    if (text === undefined || text === '') return undefined;
    const { uid, gid } = meta;
    return this.#transaction.writeFile(
      { kind: 'symlink', target: text, uid, gid, xattrs: xattrsOf(meta) },
      NOTHING,
    );
  }

  /** A layer that names something so has it below a name that cannot be: its files are kept all the same. */
  #keepUnnamed(node: LayerNode): void {
    if (node.kind === 'directory') {
      for (const inner of node.entries.values()) this.#keepUnnamed(inner);
    } else if (node.kind === 'file') this.#unnamed.add(parseChecksum(node.contentSha256));
  }

  #emptyFile(): Checksum {
    this.#whiteout ??= this.#transaction.writeFile(OWN_FILE, NOTHING);
    return this.#whiteout;
  }

  #metaOf(meta: NodeMeta): Checksum {
    const { mode, uid, gid } = meta;
    const xattrs = xattrsOf(meta);
    const key = `${mode} ${uid} ${gid} ${xattrs.map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).join(' ')}`;
    let checksum = this.#metas.get(key);
    if (checksum === undefined) {
      checksum = this.#transaction.writeDirectoryMetadata({ mode, uid, gid, xattrs });
      this.#metas.set(key, checksum);
    }
    return checksum;
  }
}

/** Extended attributes as the adapter takes them. */
export function xattrsOf(meta: NodeMeta): readonly Xattr[] {
  return meta.xattrs.map(({ name, value }) => [name, value] as const);
}

const NOTHING = Buffer.alloc(0);

/** The text of an entry's name; undefined where OSTree cannot keep it. */
function nameOf(bytes: string): string | undefined {
  return bytes.length > MAX_COMPONENT_BYTES ? undefined : textOf(bytes);
}

function textOf(bytes: string): string | undefined {
  if (/^[\x01-\x7f]*$/.test(bytes)) return bytes; // nearly all of them
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return Buffer.from(text, 'utf8').toString('latin1') === bytes ? text : undefined;
}
