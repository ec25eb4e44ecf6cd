import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { startDockerEngine } from '../support/docker-engine.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { layoutLayer } from '../support/layout.js';
import { Puller } from '../support/pull-from.js';
import { startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { Workshop } from '../support/workshop.js';

/** What skopeo says an image is. */
async function skopeoDigest(name: string): Promise<string> {
  const tls = name.startsWith('docker://') ? ['--tls-verify=false'] : [];
  return (await runOk(['skopeo', 'inspect', ...tls, '--format', '{{.Digest}}', name])).trim();
}

/** What skopeo makes of an image: its configuration is the same whatever form the image has. */
async function skopeoConfig(name: string): Promise<unknown> {
  return JSON.parse(await runOk(['skopeo', 'inspect', '--config', name])) as unknown;
}

/** A second path of a folder, without capitals: podman makes names of images of the paths of layouts. */
class LowerCase implements Disposable {
  readonly path = `/tmp/berth-${randomBytes(8).toString('hex')}`;

  constructor(folder: string) {
    symlinkSync(folder, this.path);
  }

  [Symbol.dispose](): void {
    unlinkSync(this.path);
  }
}

/** An index of two platforms and something that is no image, as buildx makes it. */
function addIndex(shop: Workshop): string {
  const { layout } = shop;
  const image = layout.addImage();
  const statement = layout.add('application/vnd.in-toto+json', { _type: 'statement' });
  const attestation = layout.add('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: layout.add('application/vnd.oci.image.config.v1+json', { architecture: 'unknown' }),
    layers: [statement],
  });
  const index = layout.add('application/vnd.oci.image.index.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      layout.addImage(undefined, 's390x'),
      image,
      {
        ...attestation,
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: { 'vnd.docker.reference.digest': image.digest },
      },
    ],
  });
  layout.finish([{ ...index, annotations: { 'org.opencontainers.image.ref.name': 'all' } }]);
  return index.digest;
}

suite('what berth writes is read by skopeo, digest and all', () => {
  for (const [transport, path, name] of [
    ['oci', 'layout', ':x'],
    ['oci-archive', 'a.tar', ':x'],
    ['dir', 'd', ''],
  ] as const) {
    test(transport, async () => {
      using shop = new Workshop();
      await using berth = new Puller();
      const to = `${transport}:${shop.at(path)}${name}`;
      const { digest, copiedBlobs } = await berth.copy(shop.source, to);
      assert.equal(digest, shop.digest);
      assert.equal(copiedBlobs, 2);
      assert.equal(await skopeoDigest(to), shop.digest);
      assert.equal((await berth.pull(to)).digest, shop.digest);
    });
  }

  test('docker-archive, whose configuration is the same', async () => {
    using shop = new Workshop();
    await using berth = new Puller();
    const to = `docker-archive:${shop.at('a.tar')}:host.example/one:v1`;
    await berth.copy(shop.source, to);
    assert.deepEqual(await skopeoConfig(to), await skopeoConfig(shop.source));
    const back = await berth.pull(to);
    assert.deepEqual(back.config.diffIds, (await berth.pull(shop.source)).config.diffIds);
    const policy = ['--signature-policy', shop.at('policy.json')];
    await shop.withStorage('podman', 'load', '--quiet', ...policy, '--input', shop.at('a.tar'));
    const listed = await shop.withStorage(
      'podman',
      'images',
      '--format',
      '{{.Repository}}:{{.Tag}}',
    );
    assert.equal(listed.trim(), 'host.example/one:v1');
  });

  test('by podman and buildah too, which find the same digest', async () => {
    using shop = new Workshop();
    await using berth = new Puller();
    using lower = new LowerCase(shop.folder.path);
    const policy = ['--signature-policy', shop.at('policy.json')];
    for (const to of [
      `oci:${lower.path}/layout:x`,
      `oci-archive:${lower.path}/a.tar:x`,
      `dir:${lower.path}/d`,
      `docker-archive:${lower.path}/b.tar:host.example/one:v1`,
    ]) {
      await berth.copy(shop.source, to);
      const pulled = await shop.withStorage('podman', 'pull', '--quiet', ...policy, to);
      const id = pulled.trim();
      const configured = await berth.pull(to);
      assert.equal(`sha256:${id}`, configured.manifest.config.digest, to);
      const digest = await shop.withStorage('podman', 'inspect', '--format', '{{.Digest}}', id);
      // An archive of docker has no manifest: podman makes one of its own.
      if (!to.startsWith('docker-archive:')) assert.equal(digest.trim(), shop.digest, to);
      const from = ['from', ...policy, '--pull-never', id];
      const container = (await shop.withStorage('buildah', ...from)).trim();
      await shop.withStorage('buildah', 'rm', container);
      await shop.withStorage('podman', 'rmi', '--force', id);
    }
  });

  test('an oci layout that umoci unpacks', async () => {
    using shop = new Workshop();
    await using berth = new Puller();
    await berth.copy(shop.source, `oci:${shop.at('layout')}:x`);
    await runOk(['umoci', 'unpack', '--image', `${shop.at('layout')}:x`, shop.at('bundle')]);
    assert.equal(readFileSync(shop.at('bundle/rootfs/etc/etcd'), 'utf8'), 'configuration');
  });

  test('an index with everything in it', async () => {
    using shop = new Workshop();
    await using berth = new Puller();
    await using registry = await startRegistry();
    const index = addIndex(shop);
    const from = `oci:${shop.layout.path}:all`;
    const remote = `docker://${registry.reference('all')}`;
    const all = { platform: undefined, preserveDigests: true };
    const pushed = await berth.copy(from, remote, all);
    assert.equal(pushed.digest, index);
    assert.equal(pushed.manifests, 4);
    for (const to of [
      `oci:${shop.at('layout')}:x`,
      `oci-archive:${shop.at('a.tar')}:x`,
      `dir:${shop.at('d')}`,
    ]) {
      assert.equal((await berth.copy(remote, to, all)).digest, index);
      const raw = await runOk(['skopeo', 'inspect', '--raw', to]);
      assert.equal(`sha256:${createHash('sha256').update(raw).digest('hex')}`, index);
      assert.equal((await berth.copy(to, remote, all)).copiedBlobs, 0);
    }
    const archive = `docker-archive:${shop.at('d.tar')}`;
    await assertFails('MANIFEST_UNSUPPORTED', () => berth.copy(remote, archive, all));
    await assertFails('MANIFEST_UNSUPPORTED', () =>
      berth.copy(remote, archive, { preserveDigests: true }),
    );
    assert.ok(!existsSync(shop.at('d.tar')));
  });
});

test('an image goes into a docker engine and comes back', async () => {
  using shop = new Workshop();
  await using engine = await startDockerEngine();
  await using berth = new Puller({ engineSocket: engine.socket });
  await berth.copy(shop.source, 'docker-daemon:host.example/one:v1');
  const host = `unix://${engine.socket}`;
  const id = await runOk([
    ...['docker', '--host', host, 'images', '--no-trunc', '--quiet', 'host.example/one:v1'],
  ]);
  const back = await berth.pull('docker-daemon:host.example/one:v1');
  assert.equal(back.manifest.config.digest, id.trim());
  assert.deepEqual(back.config.diffIds, (await berth.pull(shop.source)).config.diffIds);
});

for (const { name, start } of [
  { name: 'the fake registry', start: () => FakeRegistry.start() },
  { name: 'docker-registry', start: () => startRegistry() },
]) {
  suite(`pushing to ${name}`, () => {
    test('sends what is not there, mounts what lies next door, and nothing twice', async () => {
      using shop = new Workshop();
      await using registry = await start();
      await using berth = new Puller();
      const first = `docker://${registry.host}/a/one:v1`;
      assert.equal((await berth.copy(shop.source, first)).copiedBlobs, 2);
      assert.equal((await berth.copy(shop.source, first)).copiedBlobs, 0);
      const second = `docker://${registry.host}/b/two:v2`;
      const mounted = await berth.copy(first, second);
      assert.equal(mounted.copiedBlobs, 0, 'the blobs were sent, not mounted');
      assert.equal((await berth.pull(second)).digest, shop.digest);
      assert.equal(await skopeoDigest(second), shop.digest);
    });

    test('a name with a digest takes that image only', async () => {
      using shop = new Workshop();
      await using registry = await start();
      await using berth = new Puller();
      const right = `docker://${registry.host}/a@${shop.digest}`;
      assert.equal((await berth.copy(shop.source, right)).digest, shop.digest);
      const wrong = `docker://${registry.host}/a@sha256:${'0'.repeat(64)}`;
      await assertFails('CONTENT_MISMATCH', () => berth.copy(shop.source, wrong));
    });
  });
}

test('what is wrong at the source gets nowhere', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  await using registry = await startRegistry();
  const path = shop.layout.blobPath(
    `sha256:${createHash('sha256').update(layoutLayer).digest('hex')}`,
  );
  writeFileSync(path, Buffer.alloc(layoutLayer.length));
  const targets = [
    `oci:${shop.at('layout')}:x`,
    `oci-archive:${shop.at('a.tar')}:x`,
    `docker-archive:${shop.at('b.tar')}:x`,
    `dir:${shop.at('d')}`,
    `docker://${registry.reference('wrong')}`,
  ];
  for (const to of targets) {
    const error = await assertFails('CONTENT_MISMATCH', () => berth.copy(shop.source, to));
    assert.ok(error.message.includes(shop.source), error.message);
    await assertFails(to.startsWith('docker://') ? 'REGISTRY_NOT_FOUND' : 'IMAGE_NOT_FOUND', () =>
      berth.prepare(to),
    );
  }
  const left = readdirSync(shop.folder.path, { recursive: true }).map(String);
  assert.deepEqual(
    left.filter((name) => /tmp|\.tar/.test(name)),
    [],
    'half a file was left',
  );
});

test('an image is added to a layout beside others, and replaces its own name only', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  const layout = `oci:${shop.at('layout')}`;
  await berth.copy(shop.source, `${layout}:one`);
  await berth.copy(shop.source, `${layout}:two`);
  const other = shop.layout.addImage('v2', 's390x');
  shop.layout.finish([other]);
  const s390x = { os: 'linux', architecture: 's390x' };
  await berth.copy(`oci:${shop.layout.path}`, `${layout}:two`, { platform: s390x });
  assert.equal(await skopeoDigest(`${layout}:one`), shop.digest);
  const index = JSON.parse(readFileSync(shop.at('layout/index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  assert.deepEqual(
    index.manifests.map(({ digest }) => digest),
    [shop.digest, other.digest],
  );
});

test('nothing is written over what stands there', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  writeFileSync(shop.at('a.tar'), 'mine');
  for (const to of [
    `oci-archive:${shop.at('a.tar')}`,
    `docker-archive:${shop.at('a.tar')}:x`,
    `dir:${shop.folder.path}`,
    `oci:${shop.folder.path}`,
  ]) {
    await assertFails('DESTINATION_EXISTS', () => berth.copy(shop.source, to));
  }
  assert.equal(readFileSync(shop.at('a.tar'), 'utf8'), 'mine');
  rmSync(join(shop.folder.path, 'a.tar'));
  assert.deepEqual(readdirSync(shop.folder.path), ['policy.json']);
});
