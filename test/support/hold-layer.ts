import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { parseDigest } from '../../src/oci/digest.js';
import { feedLayer } from './feed-layer.js';
import { HELD_LAYER } from './held-layer.js';

/*
 * A process for the tests to kill. Usage: node hold-layer.js STORE [commit]
 *
 * Takes in a layer, prints "ready" and waits, the transaction open; with `commit`, prints "ready" first and then takes in
 * and commits the layer again and again.
 */

const store = openEmbeddedStore(process.argv[2] ?? '');
const diffId = parseDigest(HELD_LAYER.diffId);

if (process.argv[3] === 'commit') {
  process.stdout.write('ready\n');
  for (;;) {
    const transaction = await store.beginLayer(diffId);
    await feedLayer(transaction.sink, HELD_LAYER);
    await transaction.commit();
  }
}
const transaction = await store.beginLayer(diffId);
await feedLayer(transaction.sink, HELD_LAYER);
process.stdout.write('ready\n');
setInterval(() => undefined, 1000);
