import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import type { Interference } from '../support/fake-registry.js';
import { answer, cutAfter } from '../support/misbehaviours.js';
import { naiveResume } from '../support/naive-client.js';
import { Puller } from '../support/pull-from.js';
import { blobPath, content, layer, otherLayer, serveLayer } from '../support/served-layer.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * A blob that comes in parts, within one pull: what a later process goes on with is in registry-resume.test.ts.
 */

test('a blob that is cut in the middle is fetched on from there R02 R42', async () => {
  await using registry = await serveLayer(cutAfter(layer, 65_536));
  await using puller = new Puller();
  const image = await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(image.contentBytes, content.length);
  const ranges = registry.blobRequests
    .filter(({ url }) => url.includes(blobPath))
    .map(({ headers }) => headers.range);
  assert.equal(ranges[0], undefined);
  assert.equal(ranges.length, Math.ceil(layer.length / 65_536));
  assert.deepEqual(ranges[1], `bytes=65536-${layer.length - 1}`);
});

/** Hangs up in the middle of the first answer, and gives everything to whoever asks for the rest. */
function wholeForRest(): Interference {
  let cut = true;
  return (request, response) => {
    const first = cut;
    cut = false;
    return first
      ? cutAfter(layer, 100_000)(request, response)
      : answer(200, { 'content-length': String(layer.length) }, layer)(request, response);
  };
}

test('a server that answers a range with everything does not double the blob R43', async () => {
  await using registry = await serveLayer(wholeForRest());
  await using puller = new Puller();
  const image = await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(image.contentBytes, content.length);
});

test('R43 control: a naive client appends what that server sends', async () => {
  await using registry = await serveLayer(wholeForRest());
  using folder = new TempDir();
  const path = join(folder.path, 'blob');
  const url = `${registry.origin}/v2/etcd${blobPath}`;
  assert.equal(await naiveResume(url, path), false, 'it was not cut');
  const begun = statSync(path).size;
  assert.ok(begun > 0, 'nothing was kept: this case proves nothing');
  assert.equal(await naiveResume(url, path), true, 'it takes the blob for whole');
  assert.equal(registry.blobRequests.at(-1)?.headers.range, `bytes=${begun}-`);
  assert.equal(statSync(path).size, begun + layer.length);
});

test('a server that has nothing behind the cut is refused R45', async () => {
  let cut = true;
  await using registry = await serveLayer((request, response) => {
    const first = cut;
    cut = false;
    return first
      ? cutAfter(layer, 100_000)(request, response)
      : answer(416, { 'content-range': 'bytes */100000' })(request, response);
  });
  await using puller = new Puller();
  await assertFails('REGISTRY_PROTOCOL', () => puller.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(await puller.store.listImages(), []);
});

test('a part that comes damaged after a cut is found by the hash that was carried on R46', async () => {
  let cut = true;
  await using registry = await serveLayer((request, response) => {
    const from = cut ? layer : otherLayer;
    const interference = cutAfter(from, cut ? 100_000 : 1 << 30);
    cut = false;
    return interference(request, response);
  });
  await using puller = new Puller();
  await assertFails('CONTENT_MISMATCH', () => puller.pull(`${registry.host}/etcd:1`));
});
