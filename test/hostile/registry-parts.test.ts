import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { answer, cutAfter } from '../support/misbehaviours.js';
import { Puller } from '../support/pull-from.js';
import { sha256 } from '../support/push-image.js';
import {
  blobPath,
  content,
  layer,
  naiveFetch,
  otherLayer,
  serveLayer,
} from '../support/served-layer.js';

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

test('a server that answers a range with everything does not double the blob R43', async () => {
  let cut = true;
  await using registry = await serveLayer((request, response) => {
    if (cut) {
      cut = false;
      return cutAfter(layer, 100_000)(request, response);
    }
    response.writeHead(200, { 'content-length': String(layer.length) }).end(layer);
    return true;
  });
  await using puller = new Puller();
  const image = await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(image.contentBytes, content.length);
});

test('a naive client appends what R43 sends, which is why the answer to a range is looked at', async () => {
  await using registry = await serveLayer(answer(200, {}, layer));
  const first = layer.subarray(0, 100_000);
  const rest = await naiveFetch(`${registry.origin}/v2/etcd${blobPath}`);
  assert.notEqual(sha256(Buffer.concat([first, rest])), sha256(layer));
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
