import { createHash } from 'node:crypto';

import type { DirectoryNode, FileNode, NodeMeta, TreeNode } from '../../src/layer/tree.js';
import type { ImageTree } from '../../src/store/image-store.js';

/** What stands in an {@link imageTree}: text for a file, a link target, or more of the same. */
export interface TreeSketch {
  readonly [name: string]:
    string | Buffer | { readonly link: string } | { readonly node: TreeNode } | TreeSketch;
}

const META: NodeMeta = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};

/** An image tree in memory, from a sketch: strings are files, `{ link }` symbolic links, objects folders. */
export function imageTree(sketch: TreeSketch, contents = new Map<string, Buffer>()): ImageTree {
  return {
    root: directory(sketch, contents),
    readFile: (node, { maxBytes }) => {
      const content = contents.get(node.contentSha256) ?? Buffer.alloc(0);
      if (content.length > maxBytes) throw new Error('too large');
      return Promise.resolve(content);
    },
  };
}

function directory(sketch: TreeSketch, contents: Map<string, Buffer>): DirectoryNode {
  const entries = new Map<string, TreeNode>();
  for (const [name, value] of Object.entries(sketch)) entries.set(name, node(value, contents));
  return { kind: 'directory', meta: { ...META, mode: 0o755 }, entries };
}

function node(value: TreeSketch[string], contents: Map<string, Buffer>): TreeNode {
  if (typeof value === 'string' || Buffer.isBuffer(value))
    return file(Buffer.from(value), contents);
  if ('link' in value && typeof value.link === 'string') {
    return { kind: 'symlink', meta: { ...META, mode: 0o777 }, target: value.link };
  }
  if ('node' in value) return value.node as TreeNode;
  return directory(value, contents);
}

function file(content: Buffer, contents: Map<string, Buffer>): FileNode {
  const contentSha256 = createHash('sha256').update(content).digest('hex');
  contents.set(contentSha256, content);
  return { kind: 'file', meta: META, size: content.length, contentSha256 };
}
