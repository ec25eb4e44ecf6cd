import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseDigest } from '../../../src/oci/digest.js';
import { LayerRecords } from '../../../src/store/embedded/layer-records.js';
import { StorePlace } from '../../../src/store/embedded/store-place.js';
import { encodeLayer } from '../../../src/store/layer-file.js';
import { impliedDirectory } from '../../../src/store/layer-tree.js';
import { TempDir } from '../../support/temp-dir.js';

test('LayerRecords finds a layer whose record goes to where the hashed ones are at that moment', async () => {
  using dir = new TempDir();
  const diffId = parseDigest(`sha256:${'a'.repeat(64)}`);
  const records = new LayerRecords(new StorePlace(dir.path));
  const [layer, taken] = ['layers', 'taken'].map((folder) => {
    mkdirSync(`${dir.path}/${folder}`);
    return `${dir.path}/${folder}/sha256-${'a'.repeat(64)}`;
  });
  assert.ok(layer !== undefined && taken !== undefined);
  writeFileSync(taken, encodeLayer({ root: impliedDirectory(), contentBytes: 0 }));
  for (let round = 0; round < 300; round += 1) {
    const read = records.read(diffId);
    const has = records.has(diffId, { takenOver: true });
    // At another moment of the reading each time.
    for (let turn = 0; turn < round % 10; turn += 1) await new Promise(setImmediate);
    renameSync(taken, layer);
    assert.equal((await read).contentBytes, 0);
    assert.ok(await has);
    renameSync(layer, taken);
  }
});
