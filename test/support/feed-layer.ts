import { applyLayer, type LayerInput, type LayerSummary } from '../../src/layer/apply-layer.js';
import type { LayerSink } from '../../src/layer/layer-sink.js';
import { parseDigest, type Digest } from '../../src/oci/digest.js';
import type { ImageStore } from '../../src/store/image-store.js';
import { buildLayer, type BuiltLayer, type TarItem } from './tar-builder.js';

/** A blob as an asynchronous source, in pieces. */
export async function* inPieces(
  blob: Buffer,
  pieceBytes = 16_384,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < blob.length; start += pieceBytes) {
    await Promise.resolve();
    yield blob.subarray(start, start + pieceBytes);
  }
}

/** Unpacks a built layer into a sink. */
export function feedLayer(
  sink: LayerSink,
  layer: BuiltLayer,
  options: Partial<LayerInput> = {},
): Promise<LayerSummary> {
  return applyLayer({
    source: inPieces(layer.blob),
    descriptor: {
      digest: parseDigest(layer.digest),
      size: layer.size,
      mediaType: layer.mediaType,
    },
    diffId: parseDigest(layer.diffId),
    sink,
    signal: new AbortController().signal,
    ...options,
  });
}

/** Takes a layer into a store; its diff id. */
export async function storeLayer(
  store: ImageStore,
  content: readonly TarItem[] | BuiltLayer,
): Promise<Digest> {
  const layer = 'blob' in content ? content : buildLayer(content);
  const diffId = parseDigest(layer.diffId);
  await using transaction = await store.beginLayer(diffId);
  await feedLayer(transaction.sink, layer);
  await transaction.commit();
  return diffId;
}

/** A sink of which single methods are replaced. */
export function withChanges(sink: LayerSink, changes: Partial<LayerSink>): LayerSink {
  return {
    addDirectory: (path, meta) => {
      sink.addDirectory(path, meta);
    },
    addSymlink: (path, target, meta) => {
      sink.addSymlink(path, target, meta);
    },
    addSpecial: (path, special) => {
      sink.addSpecial(path, special);
    },
    addHardLink: (path, target) => {
      sink.addHardLink(path, target);
    },
    addWhiteout: (path) => {
      sink.addWhiteout(path);
    },
    addOpaque: (path) => {
      sink.addOpaque(path);
    },
    beginFile: (path, file) => {
      sink.beginFile(path, file);
    },
    writeFile: (chunk) => {
      sink.writeFile(chunk);
    },
    endFile: () => {
      sink.endFile();
    },
    borrowed: () => sink.borrowed(),
    ready: () => sink.ready(),
    drain: () => sink.drain(),
    ...changes,
  };
}
