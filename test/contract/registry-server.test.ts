import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';

import { askHttp, type HttpAnswer, type HttpQuestion } from '../support/ask-http.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { pushImage, pushManifest, sha256 } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';

// What distribution-spec v1.1 demands of a registry, asked of the fake one and of a real one: what holds for both
// may be relied on in tests.
const servers = [
  { name: 'the fake registry', start: () => FakeRegistry.start() },
  { name: 'docker-registry', start: () => startRegistry() },
];

for (const { name, start } of servers) {
  suite(`${name} keeps to distribution-spec`, () => {
    test('answers below /v2/', async () => {
      await using registry = await start();
      const { status } = await ask(registry, '/v2/');
      assert.equal(status, 200);
    });

    test('takes an image and gives it back by tag and digest', async () => {
      await using registry = await start();
      const target = { origin: registry.origin, repository: 'a/b' };
      const layer = Buffer.alloc(1024, 7);
      const pushed = await pushImage(target, 'one', { layers: [{ content: layer }] });
      for (const reference of ['one', pushed.digest]) {
        const { status, headers, body } = await ask(registry, `/v2/a/b/manifests/${reference}`, {
          headers: { accept: pushed.mediaType },
        });
        assert.equal(status, 200);
        assert.equal(headers['content-type'], pushed.mediaType);
        assert.equal(headers['docker-content-digest'], pushed.digest);
        assert.equal(sha256(body), pushed.digest);
      }
      const blob = await ask(registry, `/v2/a/b/blobs/${sha256(layer)}`);
      assert.deepEqual(blob.body, layer);
      const head = await ask(registry, `/v2/a/b/blobs/${sha256(layer)}`, { method: 'HEAD' });
      assert.equal(head.headers['content-length'], '1024');
    });

    test('gives a part of a blob', async () => {
      await using registry = await start();
      const layer = Buffer.from('0123456789');
      await pushImage({ origin: registry.origin, repository: 'a' }, 'one', {
        layers: [{ content: layer, diffId: sha256(layer) }],
      });
      const path = `/v2/a/blobs/${sha256(layer)}`;
      const part = await ask(registry, path, { headers: { range: 'bytes=3-6' } });
      assert.equal(part.status, 206);
      assert.equal(part.headers['content-range'], 'bytes 3-6/10');
      assert.equal(part.body.toString(), '3456');
    });

    test('names what it does not have', async () => {
      await using registry = await start();
      const zeros = `sha256:${'0'.repeat(64)}`;
      const rows = [
        { path: '/v2/a/manifests/none', status: 404, code: /MANIFEST_UNKNOWN/ },
        { path: `/v2/a/manifests/${zeros}`, status: 404, code: /MANIFEST_UNKNOWN/ },
        { path: `/v2/a/blobs/${zeros}`, status: 404, code: /BLOB_UNKNOWN/ },
        { path: '/v2/a/tags/list', status: 404, code: /NAME_UNKNOWN/ },
      ];
      for (const { path, status, code } of rows) {
        const answer = await ask(registry, path);
        assert.equal(answer.status, status, path);
        assert.match(answer.body.toString(), code);
      }
    });

    test('refuses content that is not what its digest says', async () => {
      await using registry = await start();
      const started = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });
      const location = new URL(started.headers.location ?? '', registry.origin);
      location.searchParams.set('digest', sha256(Buffer.from('promised')));
      const done = await ask(registry, location.href, {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream' },
        body: Buffer.from('delivered'),
      });
      assert.equal(done.status, 400);
      assert.match(done.body.toString(), /DIGEST_INVALID/);
    });

    test('refuses a manifest of blobs that it does not have', async () => {
      await using registry = await start();
      const missing = { digest: `sha256:${'0'.repeat(64)}`, size: 1 };
      await assert.rejects(
        pushManifest({ origin: registry.origin, repository: 'a' }, 'one', {
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: { ...missing, mediaType: 'application/vnd.oci.image.config.v1+json' },
          layers: [{ ...missing, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
        }),
        /MANIFEST_BLOB_UNKNOWN|BLOB_UNKNOWN/,
      );
    });
  });
}

suite('the fake registry, beyond what docker-registry 2.8 has', () => {
  // docker-registry 2.8 answers 416 and hangs up in the middle.
  test('has no part behind the end of a blob', async () => {
    await using registry = await FakeRegistry.start();
    const layer = Buffer.from('0123456789');
    await pushImage({ origin: registry.origin, repository: 'a' }, 'one', {
      layers: [{ content: layer, diffId: sha256(layer) }],
    });
    const path = `/v2/a/blobs/${sha256(layer)}`;
    const beyond = await ask(registry, path, { headers: { range: 'bytes=10-' } });
    assert.equal(beyond.status, 416);
  });

  test('takes an upload in pieces, and no piece out of order', async () => {
    await using registry = await FakeRegistry.start();
    const content = Buffer.from('first second');
    const started = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });
    assert.equal(started.status, 202);
    const first = await ask(registry, started.headers.location ?? '', {
      method: 'PATCH',
      headers: { 'content-type': 'application/octet-stream', 'content-range': '0-5' },
      body: content.subarray(0, 6),
    });
    assert.equal(first.status, 202);
    const again = await ask(registry, first.headers.location ?? '', {
      method: 'PATCH',
      headers: { 'content-type': 'application/octet-stream', 'content-range': '0-5' },
      body: content.subarray(0, 6),
    });
    assert.equal(again.status, 416);
    const location = new URL(first.headers.location ?? '', registry.origin);
    location.searchParams.set('digest', sha256(content));
    const done = await ask(registry, location.href, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: content.subarray(6),
    });
    assert.equal(done.status, 201);
    const blob = await ask(registry, `/v2/a/blobs/${sha256(content)}`);
    assert.deepEqual(blob.body, content);
  });

  test('pages through tags', async () => {
    await using registry = await FakeRegistry.start();
    const target = { origin: registry.origin, repository: 'a' };
    for (const tag of ['a', 'b', 'c']) {
      await pushImage(target, tag, { layers: [{ content: Buffer.alloc(1024) }] });
    }
    const first = await ask(registry, '/v2/a/tags/list?n=2');
    assert.deepEqual(JSON.parse(first.body.toString()), { name: 'a', tags: ['a', 'b'] });
    const next = /^<(.*)>; rel="next"$/.exec(String(first.headers['link']))?.[1];
    const second = await ask(registry, next ?? '');
    assert.deepEqual(JSON.parse(second.body.toString()), { name: 'a', tags: ['c'] });
    assert.equal(second.headers['link'], undefined);
  });

  test('lists what refers to a manifest', async () => {
    await using registry = await FakeRegistry.start();
    const target = { origin: registry.origin, repository: 'a' };
    const layers = [{ content: Buffer.alloc(1024) }];
    const subject = await pushImage(target, 'one', { layers });
    const referrer = await pushImage(target, undefined, { layers, manifest: { subject } });
    const { body } = await ask(registry, `/v2/a/referrers/${subject.digest}`);
    const { manifests } = JSON.parse(body.toString()) as { manifests: { digest: string }[] };
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [referrer.digest],
    );
  });

  test('takes sha512', async () => {
    await using registry = await FakeRegistry.start();
    const content = Buffer.from('content');
    const digest = `sha512:${createHash('sha512').update(content).digest('hex')}`;
    const done = await ask(registry, `/v2/a/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      body: content,
    });
    assert.equal(done.status, 201);
    assert.deepEqual((await ask(registry, `/v2/a/blobs/${digest}`)).body, content);
  });

  test('lets in who has a token for the repository, and nobody else', async () => {
    await using registry = await FakeRegistry.start({
      login: 'bearer',
      accounts: { me: 'secret' },
    });
    const refused = await ask(registry, '/v2/a/tags/list');
    assert.equal(refused.status, 401);
    assert.match(
      refused.headers['www-authenticate'] ?? '',
      /^Bearer realm=".*\/token",service="fake registry",scope="repository:a:pull"$/,
    );
    const basic = (pair: string) => ({
      headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
    });
    assert.equal((await ask(registry, '/token', basic('me:wrong'))).status, 401);
    const granted = await ask(registry, '/token?scope=repository:a:pull', basic('me:secret'));
    const { token } = JSON.parse(granted.body.toString()) as { token: string };
    const bearer = { headers: { authorization: `Bearer ${token}` } };
    assert.equal((await ask(registry, '/v2/a/tags/list', bearer)).status, 404);
    assert.equal((await ask(registry, '/v2/b/tags/list', bearer)).status, 401);
    const upload = await ask(registry, '/v2/a/blobs/uploads/', { ...bearer, method: 'POST' });
    assert.equal(upload.status, 401);
  });
});

function ask(
  registry: { readonly origin: string },
  path: string,
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  return askHttp(new URL(path, registry.origin), question);
}
