import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseDigest } from '../../src/oci/digest.js';
import { askHttp } from '../support/ask-http.js';
import { assertFails } from '../support/assert-fails.js';
import { FakeRegistry } from '../support/fake-registry.js';
import type { LayoutEntry } from '../support/layout.js';
import { Puller } from '../support/pull-from.js';
import { startRegistry } from '../support/registry.js';
import { Workshop } from '../support/workshop.js';

// What refers to an image is found where it was pushed, whether the registry keeps a list of it or not.

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Something that says something of an image, a signature perhaps: a manifest, under a name of its own. */
function addReferrer({ layout }: Workshop, name: string, members: object): LayoutEntry {
  const layers = [layout.add('application/vnd.example.statement', Buffer.from(name))];
  const config = layout.add('application/vnd.example.config', Buffer.from('{}'));
  const document = { schemaVersion: 2, mediaType: MANIFEST, config, layers, ...members };
  const annotations = { 'org.opencontainers.image.ref.name': name };
  return { ...layout.add(MANIFEST, document), annotations };
}

for (const { name, start, keepsList } of [
  { name: 'docker-registry, which keeps no list', start: () => startRegistry(), keepsList: false },
  { name: 'the fake registry, which does', start: () => FakeRegistry.start(), keepsList: true },
]) {
  test(`what refers to an image is listed after it was pushed: ${name}`, async () => {
    using shop = new Workshop();
    await using registry = await start();
    await using berth = new Puller();
    const { layout } = shop;
    const image = layout.addImage('image');
    const subject = { mediaType: image.mediaType, digest: image.digest, size: image.size };
    const annotations = { 'org.example': 'kept' };
    const plain = addReferrer(shop, 'one', { subject, annotations });
    const typed = addReferrer(shop, 'two', { subject, artifactType: 'application/vnd.example' });
    layout.finish([image, plain, typed]);
    const repository = `docker://${registry.host}/a/b`;
    const all = { platform: undefined };
    for (const which of ['image', 'one', 'two', 'two']) {
      await berth.copy(`oci:${layout.path}:${which}`, `${repository}:${which}`, all);
    }
    await using source = await berth.open(`${repository}:image`);
    const { signal } = new AbortController();
    const found = await source.listReferrers?.(parseDigest(image.digest), { signal });
    assert.deepEqual(
      found?.map(({ digest }) => digest).sort(),
      [plain.digest, typed.digest].sort(),
    );
    const tag = image.digest.replace(':', '-');
    const url = `${registry.origin}/v2/a/b/manifests/${tag}`;
    const kept = await askHttp(url, { headers: { accept: INDEX } });
    if (keepsList) {
      assert.equal(kept.status, 404, 'a tag was made where the registry keeps the list');
      return;
    }
    const { manifests } = JSON.parse(kept.body.toString()) as { manifests: object[] };
    const entry = ({ mediaType, digest, size }: LayoutEntry) => ({ mediaType, digest, size });
    assert.deepEqual(manifests, [
      { ...entry(plain), artifactType: 'application/vnd.example.config', annotations },
      { ...entry(typed), artifactType: 'application/vnd.example' },
    ]);
  });
}

test('what stands under the tag of a list and is none is not replaced', async () => {
  using shop = new Workshop();
  await using registry = await startRegistry();
  await using berth = new Puller();
  const { layout } = shop;
  const image = layout.addImage('image');
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.size };
  layout.finish([image, addReferrer(shop, 'one', { subject })]);
  const repository = `docker://${registry.host}/a/b`;
  await berth.copy(`oci:${layout.path}:image`, `${repository}:${image.digest.replace(':', '-')}`);
  await assertFails('MANIFEST_INVALID', () =>
    berth.copy(`oci:${layout.path}:one`, `${repository}:one`, { platform: undefined }),
  );
});
