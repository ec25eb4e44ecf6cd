import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openEmbeddedStore } from '../../../src/store/embedded/embedded-store.js';
import { storeLayer } from '../../support/feed-layer.js';
import { storedImageOf } from '../../support/stored-image.js';
import { TempDir } from '../../support/temp-dir.js';

test('fsck() finds no problem in what another brings in meanwhile', async () => {
  using dir = new TempDir();
  await using store = openEmbeddedStore(dir.path);
  await using other = openEmbeddedStore(dir.path);
  const bring = async (name: string): Promise<unknown> => {
    const diffId = await storeLayer(store, [{ path: 'a', content: name }]);
    return store.addImage(storedImageOf([diffId], [name]));
  };
  await bring('first');
  for (let round = 0; round < 30; round += 1) {
    const [{ problems }] = await Promise.all([other.fsck(), bring(`image${round}`)]);
    assert.deepEqual(problems, []);
  }
});
