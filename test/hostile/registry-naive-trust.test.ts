import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { createCredentialFinder } from '../../src/registry/auth-files.js';
import { parseRegistriesConf } from '../../src/registry/registries-conf.js';
import { askHttp } from '../support/ask-http.js';
import { assertFails } from '../support/assert-fails.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, forPath, only, redirectTo } from '../support/misbehaviours.js';
import { naiveAsk } from '../support/naive-client.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, pushIndex, pushManifest, sha256 } from '../support/push-image.js';
import {
  blobPath,
  content,
  layer,
  naiveFetch,
  otherLayer,
  serveLayer,
} from '../support/served-layer.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * A naive client and berth before one and the same server: of names, and of what is told to whom. The naive one has to go wrong, or
 * what berth does proves nothing.
 */

const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;

test('R23 control and defence: who compares the beginnings of names gives one registry’s account to another', async () => {
  await using registry = await serveLayer();
  const demand = answer(401, { 'www-authenticate': 'Basic realm="x"' });
  registry.interfere(only(({ headers }) => headers.authorization !== basic, demand));
  using folder = new TempDir();
  const finderFor = (host: string) => {
    const path = join(folder.path, `${host.length}.json`);
    writeFileSync(path, JSON.stringify({ auths: { [host]: { auth: basic.slice(6) } } }));
    return createCredentialFinder([path]);
  };
  // The account is for another port, which begins as this one does.
  const other = registry.host.slice(0, -1);
  const authorization = registry.host.startsWith(other) ? basic : '';
  const shown = await naiveAsk(`${registry.origin}/v2/etcd/manifests/1`, { authorization });
  assert.equal(shown.status, 200);
  assert.equal(registry.seen.at(-1)?.headers.authorization, basic);
  registry.seen.length = 0;
  await using berth = new Puller({ findCredentials: finderFor(other) });
  await assertFails('REGISTRY_UNAUTHORIZED', () => berth.prepare(`${registry.host}/etcd:1`));
  assert.ok(registry.seen.length > 0, 'this case proves nothing');
  assert.ok(registry.seen.every(({ headers }) => headers.authorization === undefined));
  await using rightful = new Puller({ findCredentials: finderFor(registry.host) });
  await rightful.prepare(`${registry.host}/etcd:1`);
});

test('R53 control and defence: who takes the name of a file from an answer writes where that says', async () => {
  const escaped = 'escaped-from-its-folder';
  const headers = {
    'content-disposition': `attachment; filename="../../${escaped}"`,
    'docker-content-digest': `../../${escaped}`,
  };
  await using registry = await serveLayer(answer(200, headers, layer));
  using folder = new TempDir();
  const own = join(folder.path, 'a/b');
  mkdirSync(own, { recursive: true });
  const got = await naiveAsk(`${registry.origin}/v2/etcd${blobPath}`);
  const name = /filename="(.*)"/.exec(got.headers['content-disposition'] ?? '')?.[1] ?? '';
  writeFileSync(join(own, name), got.body);
  assert.deepEqual(readdirSync(folder.path).sort(), ['a', escaped]);
  await using berth = new Puller();
  assert.equal((await berth.pull(`${registry.host}/etcd:1`)).contentBytes, content.length);
  const places = [...berth.listStored(), ...readdirSync(join(berth.folder.path, '..'))];
  assert.deepEqual(
    places.filter((place) => place.includes(escaped)),
    [],
  );
});

test('R55 control and defence: who knows sha256 alone takes anything by another digest', async () => {
  const digest = `sha512:${createHash('sha512').update(layer).digest('hex')}`;
  await using registry = await serveLayer();
  const target = { origin: registry.origin, repository: 'etcd' };
  const url = `${registry.origin}/v2/etcd/blobs`;
  await askHttp(`${url}/uploads/?digest=${digest}`, { method: 'POST', body: layer });
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  await pushImage(target, '2', {
    architecture: 'amd64',
    layers: [{ content: layer }],
    manifest: { layers: [{ mediaType, digest, size: layer.length }] },
  });
  await using good = new Puller();
  assert.equal((await good.pull(`${registry.host}/etcd:2`)).contentBytes, content.length);
  registry.interfere(only(forPath(digest), answer(200, {}, otherLayer)));
  const taken = await naiveFetch(`${url}/${digest}`);
  const isWrong = digest.startsWith('sha256:') && sha256(taken) !== digest;
  assert.ok(!isWrong, 'a naive client found it out');
  assert.notDeepEqual(taken, layer);
  await using berth = new Puller();
  await assertFails('CONTENT_MISMATCH', () => berth.pull(`${registry.host}/etcd:2`));
});

test('R56 control and defence: who files an image under the name that it gives itself has another one there', async () => {
  const name = 'docker.io/library/etcd:latest';
  const annotation = 'org.opencontainers.image.ref.name';
  await using registry = await FakeRegistry.start();
  const evil = await pushImage({ origin: registry.origin, repository: 'evil' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
    manifest: { annotations: { [annotation]: name } },
  });
  const names = new Map([[name, 'the real one']]);
  const bytes = await naiveFetch(`${registry.origin}/v2/evil/manifests/1`);
  const { annotations } = JSON.parse(bytes.toString()) as { annotations: Record<string, string> };
  names.set(annotations[annotation] ?? '', sha256(bytes));
  assert.equal(names.get(name), evil.digest);
  await using berth = new Puller();
  const image = await berth.pull(`${registry.host}/evil:1`);
  assert.deepEqual(image.names, [`${registry.host}/evil:1`]);
  assert.equal(await berth.store.findImage(name), undefined);
});

test('R57 control and defence: who says what it asked for says what a signed address holds', async () => {
  await using registry = await serveLayer();
  await using cdn = await FakeRegistry.start();
  cdn.interfere(answer(403, {}, 'denied'));
  const signed = `${cdn.origin}/blob?X-Signature=signed-secret`;
  registry.interfere(only(forPath(blobPath), redirectTo(signed)));
  const { headers } = await naiveAsk(`${registry.origin}/v2/etcd${blobPath}`);
  const { status } = await naiveAsk(headers.location ?? '');
  assert.match(`${headers.location ?? ''} answered ${status}`, /signed-secret answered 403/);
  await using berth = new Puller();
  const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
    berth.pull(`${registry.host}/etcd:1`),
  );
  const shown: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    shown.push(at.message, at.stack ?? '');
  }
  assert.match(shown.join('\n'), /answered 403/);
  assert.doesNotMatch(shown.join('\n'), /signed-secret/);
});

test('R58 control and defence: who hands a name to a parser of URLs asks a stranger by another’s name', async () => {
  await using stranger = await serveLayer();
  const name = `quay.io@${stranger.host}`;
  stranger.seen.length = 0;
  assert.equal((await naiveAsk(`http://${name}/v2/etcd/manifests/1`)).status, 200);
  assert.equal(stranger.seen.length, 1);
  await using berth = new Puller();
  await assertFails('REFERENCE_INVALID', () => berth.prepare(`${name}/etcd:1`));
  assert.equal(stranger.seen.length, 1, 'a stranger was asked');
});

test('R58 control and defence: who compares spellings asks a host that is blocked', async () => {
  await using registry = await serveLayer();
  const host = registry.host.replace('127.0.0.1', 'localhost');
  const spelled = host.toUpperCase();
  registry.seen.length = 0;
  assert.ok(![host].includes(spelled));
  assert.equal((await naiveAsk(`http://${spelled}/v2/etcd/manifests/1`)).status, 200);
  assert.equal(registry.seen.length, 1);
  const conf = `[[registry]]\nlocation = "${host}"\nblocked = true\n`;
  await using berth = new Puller({
    registriesConf: parseRegistriesConf(conf, 'registries.conf'),
  });
  await assertFails('REGISTRY_BLOCKED', () => berth.prepare(`${spelled}/etcd:1`));
  assert.equal(registry.seen.length, 1, 'a blocked registry was asked');
});

test('M17 M18 control and defence: who goes down every index goes down for as long as there are some', async () => {
  await using registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  const depth = 30;
  const image = await pushImage(target, undefined, {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  let entry = image;
  for (let level = 0; level < depth; level++) {
    entry = await pushIndex(target, level === depth - 1 ? '1' : undefined, [entry]);
  }
  let read = 0;
  for (let at = '1'; at !== '' && at !== image.digest; read++) {
    const bytes = await naiveFetch(`${registry.origin}/v2/etcd/manifests/${at}`);
    const { manifests } = JSON.parse(bytes.toString()) as { manifests: { digest: string }[] };
    at = manifests[0]?.digest ?? '';
  }
  assert.equal(read, depth);
  registry.seen.length = 0;
  await using berth = new Puller();
  await assertFails('MANIFEST_INVALID', () => berth.prepare(`${registry.host}/etcd:1`));
  assert.ok(registry.seen.length < 10, 'berth went down');
});

test('M02 control and defence: who goes by the header and who goes by the document see two things', async () => {
  await using registry = await serveLayer();
  const target = { origin: registry.origin, repository: 'etcd' };
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const document = { schemaVersion: 2, mediaType, manifests: [] };
  await pushManifest(target, '2', document);
  const said = 'application/vnd.oci.image.manifest.v1+json';
  registry.interfere(
    only(forPath('/manifests/2'), answer(200, { 'content-type': said }, JSON.stringify(document))),
  );
  const got = await naiveAsk(`${registry.origin}/v2/etcd/manifests/2`);
  const body = JSON.parse(got.body.toString()) as { mediaType: string };
  assert.deepEqual([got.headers['content-type'], body.mediaType], [said, mediaType]);
  await using berth = new Puller();
  await assertFails('MANIFEST_INVALID', () => berth.prepare(`${registry.host}/etcd:2`));
});
