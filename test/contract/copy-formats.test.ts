import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { layoutLayer } from '../support/layout.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, pushIndex } from '../support/push-image.js';
import { runOk } from '../support/run-command.js';
import { Workshop } from '../support/workshop.js';

const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

interface Raw {
  readonly mediaType: string;
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly mediaType: string; readonly digest: string }[];
  readonly manifests?: readonly { readonly mediaType: string }[];
}

/** The document that a name means, as skopeo reads it, and its digest. */
async function readRaw(name: string): Promise<{ readonly raw: Raw; readonly digest: string }> {
  const tls = name.startsWith('docker://') ? ['--tls-verify=false'] : [];
  const text = await runOk(['skopeo', 'inspect', ...tls, '--raw', name]);
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return { raw: JSON.parse(text) as Raw, digest };
}

suite("an image in docker's format", () => {
  const target = ({ origin }: FakeRegistry) => ({ origin, repository: 'one' });
  const image = { format: 'docker', layers: [{ content: layoutLayer }] } as const;

  for (const { transport, path, name } of [
    { transport: 'oci', path: 'layout', name: ':x' },
    { transport: 'oci-archive', path: 'a.tar', name: ':x' },
  ]) {
    test(`becomes one of OCI in ${transport}:, with the same blobs`, async () => {
      using shop = new Workshop();
      await using registry = await FakeRegistry.start();
      await using berth = new Puller();
      await pushImage(target(registry), 'latest', image);
      const from = `docker://${registry.host}/one:latest`;
      const to = `${transport}:${shop.at(path)}${name}`;
      await assertFails('MANIFEST_UNSUPPORTED', () =>
        berth.copy(from, to, { preserveDigests: true }),
      );
      const { digest } = await berth.copy(from, to);
      const before = await readRaw(from);
      const after = await readRaw(to);
      assert.equal(before.raw.mediaType, DOCKER);
      assert.equal(after.raw.mediaType, OCI);
      assert.equal(after.digest, digest);
      assert.equal(after.raw.config?.digest, before.raw.config?.digest);
      assert.deepEqual(
        after.raw.layers?.map((layer) => layer.digest),
        before.raw.layers?.map((layer) => layer.digest),
      );
      // As skopeo converts it.
      const peer = `oci:${shop.at('peer')}:x`;
      await shop.skopeo('--src-tls-verify=false', from, peer);
      const theirs = await readRaw(peer);
      assert.deepEqual(after.raw.layers, theirs.raw.layers);
      assert.equal((await berth.pull(to)).digest, digest);
    });
  }

  test('is unpacked by umoci from a layout', async () => {
    using shop = new Workshop();
    await using registry = await FakeRegistry.start();
    await using berth = new Puller();
    await pushImage(target(registry), 'latest', image);
    await berth.copy(`docker://${registry.host}/one`, `oci:${shop.at('layout')}:x`);
    await runOk(['umoci', 'unpack', '--image', `${shop.at('layout')}:x`, shop.at('bundle')]);
    assert.equal(readFileSync(shop.at('bundle/rootfs/etc/etcd'), 'utf8'), 'configuration');
  });

  test('stays as it is where that is taken, and comes back by --format', async () => {
    using shop = new Workshop();
    await using registry = await FakeRegistry.start();
    await using berth = new Puller();
    const pushed = await pushImage(target(registry), 'latest', image);
    const from = `docker://${registry.host}/one:latest`;
    const kept = await berth.copy(from, `dir:${shop.at('d')}`, { preserveDigests: true });
    assert.equal(kept.digest, pushed.digest);
    await berth.copy(from, `oci:${shop.at('layout')}:x`);
    const back = `docker://${registry.host}/one:back`;
    const { digest } = await berth.copy(`oci:${shop.at('layout')}:x`, back, { format: 'docker' });
    const { raw, digest: seen } = await readRaw(back);
    assert.equal(raw.mediaType, DOCKER);
    assert.equal(seen, digest);
    assert.deepEqual(raw.layers, (await readRaw(from)).raw.layers);
    await assertFails('MANIFEST_UNSUPPORTED', () =>
      berth.copy(from, `oci:${shop.at('other')}:x`, { format: 'docker' }),
    );
  });

  test('is converted inside an index, whose entries follow', async () => {
    using shop = new Workshop();
    await using registry = await FakeRegistry.start();
    await using berth = new Puller();
    const children = [
      await pushImage(target(registry), undefined, image),
      await pushImage(target(registry), undefined, { ...image, architecture: 's390x' }),
    ];
    await pushIndex(target(registry), 'all', children);
    const to = `oci:${shop.at('layout')}:all`;
    const { digest, manifests } = await berth.copy(`docker://${registry.host}/one:all`, to, {
      platform: undefined,
    });
    assert.equal(manifests, 3);
    const { raw, digest: seen } = await readRaw(to);
    assert.equal(seen, digest);
    assert.equal(raw.mediaType, OCI_INDEX);
    assert.deepEqual(
      raw.manifests?.map((entry) => entry.mediaType),
      [OCI, OCI],
    );
    await berth.pull(to);
  });
});
