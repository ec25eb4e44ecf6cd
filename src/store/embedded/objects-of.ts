import type { FileNode } from '../../layer/tree.js';
import type { LayerDirectory, LayerTree } from '../layer-tree.js';
import { objectName } from './object-name.js';

/** The objects that a layer refers to, by name below `objects/`. */
export function objectsOf(layer: LayerTree): Map<string, FileNode> {
  const found = new Map<string, FileNode>();
  collect(layer.root, found);
  return found;
}

function collect(directory: LayerDirectory, found: Map<string, FileNode>): void {
  for (const node of directory.entries.values()) {
    if (node.kind === 'directory') collect(node, found);
    else if (node.kind === 'file' && node.size > 0) found.set(objectName(node), node);
  }
}
