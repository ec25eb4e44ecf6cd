import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { pushBlob, pushManifest } from '../support/push-image.js';
import { SignedRegistry } from '../support/signed-registry.js';
import { makeSigstoreKey } from '../support/sigstore-attachments.js';
import {
  BUNDLE,
  bundleManifest,
  makeBundle,
  pushBundles,
  signStatement,
  statementOf,
} from '../support/sigstore-bundles.js';

/* HOSTILE.md, B.9, M22 and R08: how bundles are looked for in a registry that may be anything. */

const key = makeSigstoreKey();

/** A registry with an image, and a policy that takes bundles of it. */
async function start(): Promise<SignedRegistry> {
  const registry = await SignedRegistry.start();
  const { desk, fake } = registry;
  desk.unnamed = [`${fake.host}/etcd`];
  desk.require({ type: 'sigstoreSigned', keyPath: desk.write('key.pub', key.publicKey) });
  return registry;
}

const bundleOf = ({ image }: SignedRegistry, by = key): object =>
  makeBundle(signStatement(by, statementOf(image.digest)));

async function push(
  registry: SignedRegistry,
  bundles: readonly object[],
  how: 'list' | 'tag' = 'list',
): Promise<void> {
  await pushBundles(registry.target, bundles, { subject: registry.image, how });
}

const asked = ({ fake }: SignedRegistry): readonly string[] =>
  fake.seen.filter(({ method }) => method === 'GET').map(({ url }) => url);

each(
  'a registry that keeps no list of what refers to what',
  [
    { name: 'knows no such address', status: 404, type: 'application/json' },
    { name: 'takes the address for a bad one', status: 400, type: 'application/json' },
    { name: 'has nothing of the type', status: 406, type: 'application/json' },
    { name: 'R50 gives a page for people', status: 200, type: 'text/html' },
  ],
  async ({ status, type }) => {
    await using registry = await start();
    registry.fake.interfere((request, response) => {
      if (request.url?.includes('/referrers/') !== true) return false;
      response.writeHead(status, { 'content-type': type }).end('<html></html>');
      return true;
    });
    await assertFails('SIGNATURE_MISSING', () => registry.prepare('one'));
    await push(registry, [bundleOf(registry, makeSigstoreKey()), bundleOf(registry)], 'tag');
    await registry.prepare('one');
  },
);

test('M22 S15 index and manifest both have bundles of their own', async () => {
  await using registry = await start();
  const { target, image, index } = registry;
  await push(registry, [bundleOf(registry)]);
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('all'));
  const bundle = makeBundle(signStatement(key, statementOf(index.digest)));
  // One that was moved from the index to the manifest is of the index still.
  await pushBundles(target, [bundle], { subject: image, how: 'list' });
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('all'));
  await pushBundles(target, [bundle], { subject: index, how: 'list' });
  await registry.prepare('all');
});

test('S14 a registry that does not say what there is is none without', async () => {
  await using registry = await start();
  await push(registry, [bundleOf(registry)]);
  let failing = '/referrers/';
  registry.fake.interfere((request, response) => {
    if (request.url?.includes(failing) !== true) return false;
    response.writeHead(500).end();
    return true;
  });
  await assertFails('SIGNATURE_UNAVAILABLE', () => registry.prepare('one'));
  failing = '/blobs/';
  await assertFails('SIGNATURE_UNAVAILABLE', () => registry.prepare('one'));
  failing = 'nothing';
  await registry.prepare('one');
});

test('R52 a list goes on at the registry itself, and not for ever', async () => {
  await using registry = await start();
  const list = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' };
  let link = 'http://169.254.169.254/v2/etcd/referrers';
  registry.fake.interfere((request, response) => {
    if (request.url?.includes('/referrers') !== true) return false;
    response.setHeader('link', `<${link}>; rel="next"`);
    response.setHeader('content-type', list.mediaType);
    response.end(JSON.stringify({ ...list, manifests: [] }));
    return true;
  });
  await assertFails('SIGNATURE_UNAVAILABLE', () => registry.prepare('one'));
  link = '/v2/etcd/referrers/on';
  await assertFails('LIMIT_EXCEEDED', () => registry.prepare('one'));
});

test('a list of several pages is read to its end', async () => {
  await using registry = await start();
  await push(registry, [bundleOf(registry)]);
  const list = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' };
  const path = `/v2/etcd/referrers/${registry.image.digest}`;
  let isFirst = true;
  registry.fake.interfere((request, response) => {
    if (!isFirst || request.url !== path) return false;
    isFirst = false;
    response.setHeader('link', `<${path}?page=2>; rel="next"`);
    response.setHeader('content-type', list.mediaType);
    response.end(JSON.stringify({ ...list, manifests: [] }));
    return true;
  });
  await registry.prepare('one');
});

test('R08 S32 more bundles than anybody reads', async () => {
  await using registry = await start();
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 100 };
  registry.fake.interfere((request, response) => {
    if (request.url?.includes('/referrers/') !== true) return false;
    const manifests = Array.from({ length: 129 }, (_, number) => ({
      ...entry,
      digest: `sha256:${number.toString(16).padStart(64, '0')}`,
      artifactType: BUNDLE,
    }));
    response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
    response.end(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests,
      }),
    );
    return true;
  });
  await assertFails('LIMIT_EXCEEDED', () => registry.prepare('one'));
  assert.ok(asked(registry).length < 10, 'they are asked for one by one');
});

test('R08 S09 S32 what cannot be a signature is not fetched, and what is none is passed over', async () => {
  await using registry = await start();
  const { target, image } = registry;
  const unread: string[] = [];
  await pushBlob(target, Buffer.from('{}'));
  const layer = await pushBlob(target, Buffer.from(JSON.stringify(bundleOf(registry))));
  const manifest = bundleManifest(image, layer);
  // An attestation, something of another type, and one that is too large: known by what is noted of them.
  for (const change of [
    { annotations: { 'dev.sigstore.bundle.predicateType': 'https://slsa.dev/provenance/v1' } },
    { artifactType: 'application/vnd.example.sbom' },
    { annotations: { filler: 'x'.repeat(70_000) } },
  ])
    unread.push((await pushManifest(target, undefined, { ...manifest, ...change })).digest);
  // A layer that is too large, one of another type, and no layer at all.
  const large = await pushBlob(target, Buffer.alloc(70_000, 32));
  for (const layers of [
    [{ ...large, mediaType: BUNDLE }],
    [{ ...layer, mediaType: 'application/vnd.example' }],
    [],
  ])
    await pushManifest(target, undefined, { ...manifest, layers });
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('one'));
  for (const digest of [...unread, large.digest])
    assert.ok(!asked(registry).some((url) => url.includes(digest)), 'it was fetched');
  await push(registry, [bundleOf(registry)]);
  await registry.prepare('one');
});

test('what was listed and has gone since is no signature, and other bytes are an error', async () => {
  await using registry = await start();
  const { fake } = registry;
  await push(registry, [bundleOf(registry)]);
  let body = '';
  fake.interfere((request, response) => {
    const url = request.url ?? '';
    if (!url.includes('/manifests/sha256:') || url.includes(registry.image.digest)) return false;
    if (body === '') response.writeHead(404).end();
    else response.end(body);
    return true;
  });
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('one'));
  body = '{"schemaVersion":2}';
  await assertFails('SIGNATURE_UNAVAILABLE', () => registry.prepare('one'));
});

test('bundles are looked for where registries.d says that the registry has signatures, and nowhere else', async () => {
  await using registry = await start();
  const { desk } = registry;
  await push(registry, [bundleOf(registry)]);
  desk.lookAt(`file://${desk.at('signatures')}`, false);
  await assertFails('SIGNATURE_MISSING', () => registry.prepare('one'));
  assert.ok(!asked(registry).some((url) => url.includes('referrers')));
});
