import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry, type Interference } from '../support/fake-registry.js';
import {
  answer,
  cutAfter,
  endless,
  forPath,
  gzipped,
  only,
  endlessChunkExtension,
  rawAnswer,
  webPage,
} from '../support/misbehaviours.js';
import { Puller, quickTimeouts } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import {
  blobPath,
  content,
  layer,
  naiveFetch,
  otherLayer,
  serveLayer,
} from '../support/served-layer.js';

test('control: an undisturbed registry is pulled from', async () => {
  await using registry = await serveLayer();
  await using puller = new Puller();
  const image = await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(image.contentBytes, content.length);
});

each(
  'a blob is refused',
  [
    {
      name: 'R01 other bytes of the same length',
      interference: answer(200, {}, otherLayer),
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'R02 fewer bytes, politely ended',
      interference: answer(200, {}, layer.subarray(0, -1)),
      code: 'REGISTRY_TEMPORARY',
    },
    { name: 'R03 endless bytes', interference: endless, code: 'CONTENT_MISMATCH' },
    {
      name: 'R03 one byte more',
      interference: answer(200, {}, Buffer.concat([layer, Buffer.from([0])])),
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'R26 the right bytes, compressed on the way',
      interference: gzipped(layer),
      code: 'REGISTRY_TEMPORARY',
    },
    { name: 'R50 a web page', interference: webPage, code: 'REGISTRY_PROTOCOL' },
    {
      name: 'M38 missing',
      interference: answer(404, {}, '{"errors":[{"code":"BLOB_UNKNOWN"}]}'),
      code: 'REGISTRY_NOT_FOUND',
    },
    {
      name: 'R47 a bad chunk size',
      interference: rawAnswer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'),
      code: 'REGISTRY_PROTOCOL',
    },
    {
      name: 'R47 a chunk whose extension has no end',
      interference: endlessChunkExtension,
      code: 'REGISTRY_UNREACHABLE',
    },
    {
      name: 'R48 two lengths',
      interference: rawAnswer(
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef',
      ),
      code: 'REGISTRY_PROTOCOL',
    },
    {
      name: 'R48 a length and chunks',
      interference: rawAnswer(
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ),
      code: 'REGISTRY_PROTOCOL',
    },
    { name: 'R43 the wrong part', interference: wrongPart(), code: 'REGISTRY_PROTOCOL' },
    {
      name: 'not HTTP',
      interference: rawAnswer('SSH-2.0-OpenSSH_9.2\r\n'),
      code: 'REGISTRY_PROTOCOL',
    },
    {
      name: '64 KiB of headers',
      interference: rawAnswer(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`),
      code: 'REGISTRY_PROTOCOL',
    },
  ] as const,
  async ({ interference, code }) => {
    await using registry = await serveLayer(interference);
    const isWaitedFor = code === 'REGISTRY_UNREACHABLE';
    await using puller = new Puller(isWaitedFor ? { timeouts: quickTimeouts } : {});
    const error = await assertFails(code, () => puller.pull(`${registry.host}/etcd:1`));
    assert.match(error.message, /cannot pull '127\.0\.0\.1:\d+\/etcd:1': layer 1 of 1 failed/);
    assert.deepEqual(await puller.store.listImages(), [], 'a refused image is in the store');
    assert.deepEqual(
      puller.listStored().filter((name) => !/^store\/(format|.*lock.*)$/.test(name)),
      [],
      'something of a refused layer stays in the store',
    );
  },
);

test('control: a naive client takes other bytes of the same length R01', async () => {
  await using registry = await serveLayer(answer(200, {}, otherLayer));
  const taken = await naiveFetch(`${registry.origin}/v2/etcd${blobPath}`);
  assert.equal(taken.length, layer.length);
  assert.notEqual(sha256(taken), sha256(layer));
});

test('an endless blob is left after its promised size R03', async () => {
  let sent = 0;
  await using registry = await serveLayer((request, response) => {
    response.on('close', () => (sent = response.socket?.bytesWritten ?? sent));
    return endless(request, response);
  });
  await using puller = new Puller();
  await assertFails('CONTENT_MISMATCH', () => puller.pull(`${registry.host}/etcd:1`));
  assert.equal(registry.blobRequests.filter(({ url }) => url.includes(blobPath)).length, 1);
  assert.ok(sent < layer.length + (16 << 20), `${sent} bytes were taken`);
});

each(
  'a manifest is refused',
  [
    {
      name: 'R05 5 MiB without a length',
      interference: answer(200, { 'transfer-encoding': 'chunked' }, Buffer.alloc(5 << 20, 32)),
      code: 'LIMIT_EXCEEDED',
    },
    { name: 'R05 endless', interference: endless, code: 'LIMIT_EXCEEDED' },
    { name: 'R50 a web page', interference: webPage, code: 'REGISTRY_PROTOCOL' },
    {
      name: 'R26 compressed on the way',
      interference: gzipped(Buffer.from('{}')),
      code: 'REGISTRY_PROTOCOL',
    },
    {
      name: 'R27 compressed 3000 times over',
      interference: answer(200, { 'content-encoding': 'gzip, '.repeat(3000).slice(0, -2) }, 'x'),
      code: 'REGISTRY_PROTOCOL',
    },
    { name: 'nothing', interference: answer(200, { 'content-length': '0' }), code: 'JSON_INVALID' },
    { name: 'a blob of bytes', interference: answer(200, {}, layer), code: 'JSON_INVALID' },
  ] as const,
  async ({ interference, code }) => {
    await using registry = await serveLayer(interference, '/manifests/');
    await using puller = new Puller();
    await assertFails(code, () => puller.prepare(`${registry.host}/etcd:1`));
  },
);

test('a manifest of 4 MiB is accepted R05', async () => {
  await using registry = await FakeRegistry.start();
  const filler = 'x'.repeat((4 << 20) - 1200);
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
    manifest: { annotations: { filler } },
  });
  await using puller = new Puller();
  const plan = await puller.prepare(`${registry.host}/etcd:1`);
  assert.ok(plan.manifestBytes.length > 4_190_000);
});

test('another manifest than the one asked for by digest is refused R10', async () => {
  await using registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  const image = { architecture: 'amd64', layers: [{ content: layer }] };
  const wanted = await pushImage(target, 'wanted', image);
  const other = await pushImage(target, 'other', { ...image, process: { Cmd: ['evil'] } });
  const bytes = await naiveFetch(`${registry.origin}/v2/etcd/manifests/${other.digest}`);
  registry.interfere(
    only(
      forPath(wanted.digest),
      answer(
        200,
        { 'content-type': other.mediaType, 'docker-content-digest': other.digest },
        bytes,
      ),
    ),
  );
  await using puller = new Puller();
  await assertFails('CONTENT_MISMATCH', () =>
    puller.prepare(`${registry.host}/etcd@${wanted.digest}`),
  );
  // A client that believes the header finds nothing wrong.
  assert.equal(sha256(bytes), other.digest);
});

test('a lying Docker-Content-Digest changes nothing R12', async () => {
  await using registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  const pushed = await pushImage(target, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  const bytes = await naiveFetch(`${registry.origin}/v2/etcd/manifests/1`);
  for (const lie of [`sha256:${'0'.repeat(64)}`, '../../etc/passwd']) {
    registry.interfere(
      only(
        forPath('/manifests/1'),
        answer(200, { 'content-type': pushed.mediaType, 'docker-content-digest': lie }, bytes),
      ),
    );
    await using puller = new Puller();
    assert.equal((await puller.prepare(`${registry.host}/etcd:1`)).digest, pushed.digest);
  }
});

test('a tag is resolved once: what was looked at is what is pulled R11', async () => {
  await using registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  const image = { architecture: 'amd64', layers: [{ content: layer }] };
  const seen = await pushImage(target, '1', image);
  await using puller = new Puller();
  let moved = false;
  registry.interfere(async (request) => {
    if (!moved && request.url?.includes('/blobs/') === true) {
      moved = true;
      await pushImage(target, '1', { ...image, process: { Cmd: ['evil'] } });
    }
    return false;
  });
  const pulled = await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(moved, true);
  assert.equal(pulled.digest, seen.digest);
  assert.equal(
    registry.seen.filter(({ method, url }) => method === 'GET' && url.endsWith('/manifests/1'))
      .length,
    1,
  );
});

test('a configuration of 1 GiB is not even asked for R06', async () => {
  await using registry = await FakeRegistry.start();
  const target = { origin: registry.origin, repository: 'etcd' };
  const digest = `sha256:${'0'.repeat(64)}`;
  await pushImage(target, '1', {
    layers: [{ content: layer }],
    manifest: {
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: sha256(layer),
        size: 1 << 30,
      },
    },
  });
  await using puller = new Puller();
  await assertFails('LIMIT_EXCEEDED', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(registry.blobRequests.length, 0, digest);
});

test('error bodies are read up to a limit, and shown escaped and short R07', async () => {
  await using puller = new Puller();
  await using registry = await serveLayer((request, response) => {
    response.writeHead(418, { 'content-type': 'application/json' });
    response.end(`{"errors":[{"code":"\\u001b[31mRED","message":"${'long '.repeat(1000)}"}]}`);
    return request.method !== undefined;
  }, '/manifests/');
  const error = await assertFails('REGISTRY_PROTOCOL', () =>
    puller.prepare(`${registry.host}/etcd:1`),
  );
  assert.match(error.message, /answered 418: \\x1b\[31mRED: long long/);
  assert.ok(error.message.length < 500, error.message);
  await using flooding = await serveLayer((request, response) => {
    void endless(request, response);
    return true;
  }, '/none/');
  flooding.interfere((request, response) => {
    if (request.url?.includes('/manifests/') !== true) return false;
    response.writeHead(400);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 120)));
    };
    response.on('drain', more);
    more();
    return true;
  });
  const other = await assertFails('REGISTRY_PROTOCOL', () =>
    puller.prepare(`${flooding.host}/etcd:1`),
  );
  assert.match(other.message, /answered 400$/);
});

test('what a redirect says besides its target is not read R28', async () => {
  await using registry = await serveLayer();
  let sent = 0;
  registry.interfere(
    only(
      forPath(blobPath),
      (_request, response) => {
        response.writeHead(307, {
          location: `/v2/etcd${blobPath}?again`,
          'content-encoding': 'gzip',
        });
        const chunk = Buffer.alloc(65_536);
        const more = () => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        };
        response.on('drain', more);
        more();
        return true;
      },
      1,
    ),
  );
  await using puller = new Puller();
  await puller.pull(`${registry.host}/etcd:1`);
  assert.ok(sent < 16 << 20, `${sent} bytes of a redirect were taken`);
});

/** Cuts, then sends a part that begins elsewhere than asked. */
function wrongPart(): Interference {
  let cut = true;
  return (request, response) => {
    if (cut) {
      cut = false;
      return cutAfter(layer, 100_000)(request, response);
    }
    response.writeHead(206, { 'content-range': `bytes 5-${layer.length - 1}/${layer.length}` });
    response.end(layer.subarray(5));
    return true;
  };
}
