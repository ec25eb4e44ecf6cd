import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { parseDigest } from '../../src/oci/digest.js';
import { feedLayer } from './feed-layer.js';
import { buildLayer } from './tar-builder.js';

/*
 * A process that takes in a layer and stops before the commit, for the tests to kill.
 * Usage: node hold-layer.js STORE. Prints "ready" when the layer has arrived.
 */

const store = openEmbeddedStore(process.argv[2] ?? '');
const layer = buildLayer(
  Array.from({ length: 20 }, (_, number) => ({ path: `f${number}`, content: `held ${number}` })),
);
const transaction = await store.beginLayer(parseDigest(layer.diffId));
await feedLayer(transaction.sink, layer);
process.stdout.write('ready\n');
setInterval(() => undefined, 1000);
