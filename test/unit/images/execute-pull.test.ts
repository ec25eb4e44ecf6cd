import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { executePull, type PullProgress } from '../../../src/images/execute-pull.js';
import { openEmbeddedStore } from '../../../src/store/embedded/embedded-store.js';
import { FakeRegistry } from '../../support/fake-registry.js';
import { Puller } from '../../support/pull-from.js';
import { pushImage, sha256 } from '../../support/push-image.js';
import { buildTar } from '../../support/tar-builder.js';
import { waitUntil } from '../../support/wait-until.js';

const layers = [1, 2, 3, 4, 5, 6].map((number) =>
  gzipSync(buildTar([{ path: `file${number}`, content: Buffer.alloc(50_000, number) }])),
);

async function serve(blobs: readonly Uint8Array[] = layers): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: blobs.map((content) => ({ content })),
  });
  return registry;
}

test('executePull() tells of each layer from waiting to done, its bytes only growing', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  const events: PullProgress[] = [];
  await puller.pull(`${registry.host}/etcd:1`, { onProgress: (event) => events.push(event) });
  for (const blob of layers) {
    const own = events.filter(({ layer }) => layer.digest === sha256(blob));
    const phases = own.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1]);
    assert.deepEqual(phases, ['waiting', 'fetching', 'storing', 'done']);
    const bytes = own.map((event) => event.bytes);
    assert.deepEqual(
      bytes,
      bytes.toSorted((a, b) => a - b),
    );
    assert.equal(bytes.at(-1), blob.length);
    assert.ok(own.every(({ total }) => total === blob.length));
  }
});

test('executePull() fetches as many layers side by side as it is told, and no more', async () => {
  for (const parallel of [1, 3]) {
    await using registry = await serve();
    let running = 0;
    let most = 0;
    registry.interfere(async (request, response) => {
      if (!layers.some((blob) => request.url?.includes(sha256(blob)) === true)) return false;
      most = Math.max(most, ++running);
      response.once('finish', () => running--);
      await waitUntil('as many requests as it may send', () => most >= parallel);
      await new Promise((resolve) => setTimeout(resolve, 20)); // in which one too many would come
      return false;
    });
    await using puller = new Puller();
    const name = `${registry.host}/etcd:1`;
    const { signal } = new AbortController();
    const plan = await puller.prepare(name);
    await executePull(plan, {
      store: puller.store,
      source: await puller.open(name),
      signal,
      parallel,
    });
    assert.equal(most, parallel);
  }
});

test('executePull() with a plan of what is there asks for nothing', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  const name = `${registry.host}/etcd:1`;
  await puller.pull(name);
  const before = registry.blobRequests.length;
  const image = await puller.pull(name);
  assert.equal(image.digest, (await puller.prepare(name)).digest);
  assert.equal(registry.blobRequests.length, before);
});

test('an image that shares layers fetches only what is new', async () => {
  await using registry = await serve();
  const added = gzipSync(buildTar([{ path: 'new', content: 'x' }]));
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '2', {
    architecture: 'amd64',
    layers: [...layers, added].map((content) => ({ content })),
  });
  await using puller = new Puller();
  await puller.pull(`${registry.host}/etcd:1`);
  const plan = await puller.prepare(`${registry.host}/etcd:2`);
  assert.equal(plan.bytesToFetch, added.length);
  await puller.pull(`${registry.host}/etcd:2`);
  assert.equal((await puller.store.listImages()).length, 2);
});

test('F18 two that pull the same at once both succeed', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  await using other = openEmbeddedStore(join(puller.folder.path, 'store'));
  const name = `${registry.host}/etcd:1`;
  const { signal } = new AbortController();
  const source = await puller.open(name);
  const plan = await puller.prepare(name);
  const [one, two] = await Promise.all(
    [puller.store, other].map((store) => executePull(plan, { store, source, signal })),
  );
  assert.equal(one?.digest, two?.digest);
  assert.equal((await puller.store.fsck()).problems.length, 0);
});
