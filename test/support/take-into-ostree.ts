import { parseDigest } from '../../src/oci/digest.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { storeLayer } from './feed-layer.js';
import { storedImageOf } from './stored-image.js';
import { buildLayer } from './tar-builder.js';

// A program: takes a small image of two layers into the repository that its argument names.

const layers = ['lower', 'upper'].map((name) =>
  buildLayer(
    [
      { path: `${name}/`, mode: 0o755 },
      { path: `${name}/file`, content: `content of ${name}` },
      { path: `${name}/link`, type: 'symlink', link: 'file' },
      { path: `${name}/large`, content: Buffer.alloc(200_000, name) },
    ],
    { compression: 'none' },
  ),
);

await using store = openOstreeStore(process.argv[2] ?? '');
for (const layer of layers) {
  if (!(await store.hasLayer(parseDigest(layer.diffId)))) await storeLayer(store, layer);
}
await store.addImage(
  storedImageOf(
    layers.map(({ diffId }) => parseDigest(diffId)),
    ['example.com/x:1'],
  ),
);
