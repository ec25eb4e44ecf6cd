import { createHash, type Hash } from 'node:crypto';

import { OperationalError } from '../errors/operational-error.js';
import type { LayerSink } from '../layer/layer-sink.js';
import { showBytes } from '../layer/show-bytes.js';
import type { FileNode, NodeMeta } from '../layer/tree.js';
import type { ImageTree } from './image-store.js';
import type { LayerTree } from './layer-tree.js';
import { LayerCollector } from './layer-collector.js';
import { mergeLayers } from './merge-layers.js';

/** What of a layer is kept in memory. */
export interface MemoryLayerOptions {
  /** Whether the content of the file at a path (clean, byte string) is kept. All metadata is. */
  readonly keep: (path: string, size: number) => boolean;
  /** Most bytes of content kept; more is an error. */
  readonly maxKeptBytes: number;
}

/** A layer in memory. */
export interface MemoryLayer {
  readonly tree: LayerTree;
  /** Kept contents, by hexadecimal SHA-256. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

/** A sink that writes nothing to disk: for looking into an image that is not to be stored. */
export function createMemoryLayerSink(options: MemoryLayerOptions): {
  readonly sink: LayerSink;
  /** The layer; once everything has arrived. @throws `OperationalError` LAYER_ENTRY_REFUSED as `LayerTreeBuilder` */
  readonly finish: () => MemoryLayer;
} {
  const contents = new Map<string, Buffer>();
  let keptBytes = 0;
  let current: CurrentFile | undefined;
  const collector = new LayerCollector({
    begin: ({ path, meta, size }) => {
      const kept = options.keep(path, size) ? [] : undefined;
      if (kept !== undefined) keptBytes += size;
      if (keptBytes > options.maxKeptBytes) {
        throw new OperationalError(
          'LAYER_LIMIT_EXCEEDED',
          `the files to look at have more than ${options.maxKeptBytes} bytes, refusing ${showBytes(path)}`,
        );
      }
      current = { meta, size, hash: createHash('sha256'), kept };
    },
    write: (chunk) => {
      current?.hash.update(chunk);
      current?.kept?.push(Buffer.from(chunk));
    },
    end: () => {
      if (current === undefined) throw new Error('internal error: the end of no file');
      const { meta, size, hash, kept } = current;
      const node: FileNode = { kind: 'file', meta, size, contentSha256: hash.digest('hex') };
      if (kept !== undefined) contents.set(node.contentSha256, Buffer.concat(kept));
      current = undefined;
      return node;
    },
    ready: () => undefined,
    drain: () => Promise.resolve(),
  });
  return { sink: collector, finish: () => ({ tree: collector.finish(), contents }) };
}

/**
 * The tree of an image whose layers are in memory, lowest first. `readFile` gives what was kept and fails for the rest.
 *
 * @throws `OperationalError` as `mergeLayers`
 */
export function mergeMemoryLayers(layers: readonly MemoryLayer[]): ImageTree {
  const root = mergeLayers(layers.map(({ tree }) => tree));
  return {
    root,
    // eslint-disable-next-line @typescript-eslint/require-await -- so that it rejects and does not throw
    readFile: async (node, { maxBytes }) => {
      if (node.size > maxBytes) {
        throw new OperationalError(
          'LIMIT_EXCEEDED',
          `a file of the image has ${node.size} bytes, refusing to read more than ${maxBytes}`,
        );
      }
      if (node.size === 0) return Buffer.alloc(0);
      for (const { contents } of layers) {
        const content = contents.get(node.contentSha256);
        if (content !== undefined) return content;
      }
      throw new OperationalError('STORE_INVALID', 'the content of this file was not kept', {
        hint: 'pull the image first',
      });
    },
  };
}

interface CurrentFile {
  readonly meta: NodeMeta;
  readonly size: number;
  readonly hash: Hash;
  readonly kept: Buffer[] | undefined;
}
