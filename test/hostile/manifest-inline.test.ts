import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, forPath, only } from '../support/misbehaviours.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

// Content inside a manifest (image-spec v1.1 descriptor.md, "data"): it stands for what would be fetched, so it has to be that.

const tar = buildTar([{ path: 'file', content: 'inside' }]);
const blob = gzipSync(tar);
const other = gzipSync(buildTar([{ path: 'file', content: 'chosen' }]));
const config = Buffer.from(
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
  }),
);

/** A registry with an image whose layer's descriptor is bent; the layer itself cannot be had. */
async function serve(members: object): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: sha256(blob),
    size: blob.length,
    ...members,
  };
  await pushImage({ origin: registry.origin, repository: 'x' }, '1', {
    layers: [{ content: blob }],
    manifest: { layers: [layer] },
    config: JSON.parse(config.toString()) as Readonly<Record<string, unknown>>,
  });
  registry.interfere(only(forPath(`/blobs/${sha256(blob)}`), answer(404, {})));
  return registry;
}

test('a layer inside the manifest is taken from there, and nobody is asked for it', async () => {
  await using registry = await serve({ data: blob.toString('base64') });
  await using berth = new Puller();
  const image = await berth.pull(`${registry.host}/x:1`);
  assert.equal(image.contentBytes, 'inside'.length);
  const asked = registry.seen.filter(
    ({ method, url }) => method === 'GET' && url.includes(sha256(blob)),
  );
  assert.deepEqual(asked, []);
  using folder = new TempDir();
  const layout = `${folder.path}/layout`;
  await berth.copy(`docker://${registry.host}/x:1`, `oci:${layout}:x`);
  const hexadecimal = sha256(blob).slice('sha256:'.length);
  assert.deepEqual(readFileSync(`${layout}/blobs/sha256/${hexadecimal}`), blob);
  assert.equal((await berth.pull(`oci:${layout}:x`)).digest, image.digest);
});

const truncated = blob.subarray(0, -1);

each(
  'R01 R02 R03 what is inside a manifest and is not what its digest says is refused, before anything is fetched:',
  [
    {
      name: 'other bytes of the same size',
      members: { data: Buffer.alloc(blob.length, 1).toString('base64') },
    },
    { name: 'another layer', members: { data: other.toString('base64') } },
    { name: 'too little', members: { data: truncated.toString('base64') } },
    {
      name: 'too little, and the size says so',
      members: { data: truncated.toString('base64'), size: truncated.length },
    },
    {
      name: 'too much',
      members: { data: Buffer.concat([blob, Buffer.alloc(1)]).toString('base64') },
    },
    {
      name: 'right bytes, another size',
      members: { data: blob.toString('base64'), size: blob.length + 1 },
    },
    { name: 'no base64', members: { data: `${blob.toString('base64')}\n` } },
    { name: 'nothing', members: { data: '' } },
    { name: 'a list', members: { data: [1, 2] } },
  ],
  async ({ members }) => {
    await using registry = await serve(members);
    await using berth = new Puller();
    await assertFails('MANIFEST_INVALID', () => berth.pull(`${registry.host}/x:1`));
    assert.deepEqual(registry.blobRequests, []);
    assert.deepEqual(await berth.store.listImages(), []);
  },
);

test('R01 control: who takes the bytes for what they are called installs another layer', () => {
  const descriptor = { digest: sha256(blob), data: other.toString('base64') };
  const naive = Buffer.from(descriptor.data, 'base64');
  assert.notEqual(sha256(naive), descriptor.digest);
});
