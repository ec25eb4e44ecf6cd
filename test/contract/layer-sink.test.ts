import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore } from '../../src/store/image-store.js';
import { createMemoryLayerSink, mergeMemoryLayers } from '../../src/store/memory-layer.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { storedImageOf } from '../support/stored-image.js';
import { TempDir } from '../support/temp-dir.js';
import { layerSinkContract, type SinkKind } from './layer-sink.js';

layerSinkContract({
  name: 'memory',
  withLayers: async (feeds, _, use) => {
    const layers = [];
    for (const feed of feeds) {
      const memory = createMemoryLayerSink({ keep: () => true, maxKeptBytes: 1_000_000 });
      await feed(memory.sink);
      layers.push(memory.finish());
    }
    await use(mergeMemoryLayers(layers));
  },
});

layerSinkContract({
  name: 'embedded',
  withLayers: withStore(openEmbeddedStore),
});

layerSinkContract({
  name: 'ostree',
  withLayers: withStore(openOstreeStore),
});

function withStore(open: (directory: string) => ImageStore): SinkKind['withLayers'] {
  return async (feeds, built, use) => {
    using dir = new TempDir();
    await using store = open(`${dir.path}/store`);
    for (const [index, feed] of feeds.entries()) {
      const diffId = parseDigest(built[index]?.diffId ?? '');
      await using transaction = await store.beginLayer(diffId);
      await feed(transaction.sink);
      await transaction.commit();
    }
    const diffIds = built.map(({ diffId }) => parseDigest(diffId));
    const image = await store.addImage(storedImageOf(diffIds, ['image']));
    await use(await store.openTree(image));
  };
}
