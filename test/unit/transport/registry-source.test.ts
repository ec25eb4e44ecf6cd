import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OCI_MANIFEST } from '../../../src/oci/media-types.js';
import { parseRegistriesConf } from '../../../src/registry/registries-conf.js';
import { assertFails } from '../../support/assert-fails.js';
import { FakeRegistry } from '../../support/fake-registry.js';
import { answer, cutAfter, forPath, only } from '../../support/misbehaviours.js';
import { Puller } from '../../support/pull-from.js';
import { pushBlob, pushImage, pushManifest, sha256 } from '../../support/push-image.js';
import { buildTar } from '../../support/tar-builder.js';

const layer = buildTar([{ path: 'file', content: Buffer.alloc(300_000, 'x') }]);

async function serve(repository: string, command = 'etcd'): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
    process: { Cmd: [command] },
  });
  return registry;
}

const parse = (text: string) => parseRegistriesConf(text, 'registries.conf');

function mirrored(registry: FakeRegistry, mirror: FakeRegistry) {
  return parse(`
[[registry]]
location = "${registry.host}"
[[registry.mirror]]
location = "${mirror.host}/mirrored"
`);
}

test('a mirror is asked before the registry, under its own path', async () => {
  await using registry = await serve('etcd');
  await using mirror = await serve('mirrored/etcd');
  const before = registry.seen.length;
  await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
  const image = await puller.pull(`${registry.host}/etcd:1`);
  assert.deepEqual(image.names, [`${registry.host}/etcd:1`]);
  assert.equal(registry.seen.length, before);
});

test('where a mirror has nothing, or is out of order, the registry is asked', async () => {
  for (const status of [404, 403, 500]) {
    await using registry = await serve('etcd');
    await using mirror = await serve('mirrored/etcd');
    mirror.interfere(answer(status, {}));
    await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
    await puller.pull(`${registry.host}/etcd:1`);
  }
});

test('a mirror that dies in the middle of a layer is replaced there', async () => {
  await using registry = await serve('etcd');
  await using mirror = await serve('mirrored/etcd');
  let cuts = 0;
  mirror.interfere(
    only(forPath(sha256(layer)), (request, response) => {
      if (cuts++ === 0) return cutAfter(layer, 100_000)(request, response);
      return answer(404, {})(request, response);
    }),
  );
  await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
  await puller.pull(`${registry.host}/etcd:1`);
  const asked = registry.blobRequests.filter(({ url }) => url.includes(sha256(layer)));
  assert.deepEqual(
    asked.map(({ headers }) => headers.range),
    [`bytes=100000-${layer.length - 1}`],
  );
});

test("R01 wrong content of a mirror is replaced by the registry's, wrong content of the registry by nothing", async () => {
  await using registry = await serve('etcd');
  await using mirror = await serve('mirrored/etcd');
  const wrong = Buffer.from(layer);
  wrong[600] = 0;
  mirror.interfere(only(forPath(sha256(layer)), answer(200, {}, wrong)));
  await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
  await puller.pull(`${registry.host}/etcd:1`);
  const asked = ({ blobRequests }: FakeRegistry) =>
    blobRequests.filter(({ url }) => url.includes(sha256(layer))).length;
  assert.deepEqual([asked(mirror), asked(registry)], [1, 1]);
  registry.interfere(only(forPath(sha256(layer)), answer(200, {}, wrong)));
  await using other = new Puller({ registriesConf: mirrored(registry, mirror) });
  await assertFails('CONTENT_MISMATCH', () => other.pull(`${registry.host}/etcd:1`));
  assert.deepEqual([asked(mirror), asked(registry)], [2, 2]);
  assert.deepEqual(await other.store.listImages(), []);
});

test('what refers to an image is looked for at the registry where a mirror lists nothing', async () => {
  await using registry = await serve('etcd');
  await using mirror = await serve('mirrored/etcd');
  await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
  await using source = await puller.open(`docker://${registry.host}/etcd:1`);
  const { signal } = new AbortController();
  const { digest, bytes } = await source.readManifest(undefined, { signal });
  assert.deepEqual(await source.listReferrers?.(digest, { signal }), []);
  const target = { origin: registry.origin, repository: 'etcd' };
  const config = await pushBlob(target, Buffer.from('{}'));
  const subject = { mediaType: OCI_MANIFEST, digest, size: bytes.length };
  const referrer = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], subject };
  const pushed = await pushManifest(target, undefined, referrer);
  const found = await source.listReferrers?.(digest, { signal });
  assert.deepEqual(
    found?.map((one) => one.digest),
    [pushed.digest],
  );
  // And that it does not answer is not that there is nothing.
  registry.interfere(answer(500, {}));
  await assertFails('REGISTRY_TEMPORARY', async () => source.listReferrers?.(digest, { signal }));
});

test('when nobody has it, what the registry itself says counts', async () => {
  await using registry = await serve('etcd');
  await using mirror = await serve('mirrored/etcd');
  mirror.interfere(answer(500, {}));
  await using puller = new Puller({ registriesConf: mirrored(registry, mirror) });
  const error = await assertFails('REGISTRY_NOT_FOUND', () =>
    puller.prepare(`${registry.host}/etcd:2`),
  );
  assert.equal(error.suppressed.length, 1);
});

test('a short name means the first registry that has it', async () => {
  await using first = await serve('other');
  await using second = await serve('etcd', 'second');
  await using third = await serve('etcd', 'third');
  const hosts = [first, second, third].map(({ host }) => `"${host}"`).join(', ');
  await using puller = new Puller({
    registriesConf: parse(`unqualified-search-registries = [${hosts}]`),
  });
  const plan = await puller.prepare('etcd:1');
  assert.equal(plan.storeName, `${second.host}/etcd:1`);
  assert.deepEqual(plan.config.process.cmd, ['second']);
});

test('a short name does not mean another image because a registry is out of order', async () => {
  await using first = await serve('etcd', 'first');
  await using second = await serve('etcd', 'second');
  first.interfere(answer(500, {}));
  await using puller = new Puller({
    registriesConf: parse(`unqualified-search-registries = ["${first.host}", "${second.host}"]`),
  });
  await assertFails('REGISTRY_TEMPORARY', () => puller.prepare('etcd:1'));
});

test('a short name means what the store has, with no network, where that is asked for', async () => {
  const gone = await serve('etcd');
  await using second = await serve('etcd');
  await using puller = new Puller({
    registriesConf: parse(`unqualified-search-registries = ["${gone.host}", "${second.host}"]`),
  });
  const { names } = await puller.pull('etcd:1');
  await gone[Symbol.asyncDispose]();
  const isStored = async (name: string) => (await puller.store.findImage(name)) !== undefined;
  const source = await puller.open('etcd:1', { isStored });
  assert.deepEqual([source.storeName], names);
  await assertFails('REGISTRY_UNREACHABLE', () => puller.open('etcd:1'));
});

test('a reference with tag and digest is resolved and filed by its digest', async () => {
  await using registry = await serve('etcd');
  await using puller = new Puller();
  const { digest } = await puller.prepare(`${registry.host}/etcd:1`);
  const image = await puller.pull(`${registry.host}/etcd:none@${digest}`);
  assert.deepEqual(image.names, [`${registry.host}/etcd@${digest}`]);
});

test('an image for another platform is refused before a layer is fetched', async () => {
  await using registry = await serve('etcd');
  await using puller = new Puller();
  const arm = { os: 'linux', architecture: 'arm64' };
  const error = await assertFails('PLATFORM_NOT_FOUND', () =>
    puller.prepare(`${registry.host}/etcd:1`, arm),
  );
  assert.match(error.message, /is made for 'linux\/amd64', not for linux\/arm64/);
});
