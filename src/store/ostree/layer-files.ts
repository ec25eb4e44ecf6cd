import type { Checksum } from '../../../ostree-adapter/index.js';
import type { FileNode, NodeMeta } from '../../layer/tree.js';
import type { LayerDirectory, LayerNode } from '../layer-tree.js';

/** A regular file of a repository. */
export interface RepositoryFile extends FileNode {
  /** The content object: SHA-256 of owner, mode, attributes and content. */
  readonly object: Checksum;
}

/** What a {@link RepositoryFile} is made of. */
export interface FileFacts {
  readonly meta: NodeMeta;
  readonly size: number;
  readonly object: Checksum;
}

/**
 * The node of a file. OSTree names objects after content and metadata together, so the digest of the content alone has to be
 * computed: when it is first asked for.
 */
export function repositoryFile(
  { meta, size, object }: FileFacts,
  digestOf: (object: Checksum) => string,
): RepositoryFile {
  let digest: string | undefined;
  return {
    kind: 'file',
    meta,
    size,
    object,
    get contentSha256() {
      digest ??= digestOf(object);
      return digest;
    },
  };
}

/** The content object of a file of this back end's trees; undefined for files that were added to them, which are empty. */
export function objectOf(node: FileNode): Checksum | undefined {
  return (node as Partial<RepositoryFile>).object;
}

/** The files of a layer that have content, each object once. */
export function filesOf(directory: LayerDirectory): Map<Checksum, FileNode> {
  const found = new Map<Checksum, FileNode>();
  const visit = (from: LayerDirectory): void => {
    for (const node of from.entries.values()) {
      if (node.kind === 'directory') visit(node);
      else if (node.kind === 'file' && node.size > 0) {
        const object = objectOf(node);
        if (object !== undefined) found.set(object, node);
      }
    }
  };
  visit(directory);
  return found;
}

/** Puts what `replace` gives in the place of each file; names of one file are names of one node afterwards too. */
export function mapFiles(directory: LayerDirectory, replace: (node: FileNode) => FileNode): void {
  const replaced = new Map<LayerNode, FileNode>();
  const visit = (from: LayerDirectory): void => {
    for (const [name, node] of from.entries) {
      if (node.kind === 'directory') visit(node);
      else if (node.kind === 'file') {
        let other = replaced.get(node);
        if (other === undefined) {
          other = replace(node);
          replaced.set(node, other);
        }
        from.entries.set(name, other);
      }
    }
  };
  visit(directory);
}
