import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { answer, cutAfter, forPath, only, silent, trickle } from '../support/misbehaviours.js';
import { amd64, Puller, quickRetries, quickTimeouts } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { watchProgress } from '../../src/registry/watch-progress.js';

const content = Buffer.alloc(300_000, 'network ');
const layer = gzipSync(buildTar([{ path: 'file', content }]), { level: 0 });
const blobPath = `/blobs/${sha256(layer)}`;

async function serve(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  return registry;
}

test('a registry that nobody serves is named, at once', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await using puller = new Puller();
  const started = performance.now();
  const error = await assertFails('REGISTRY_UNREACHABLE', () =>
    puller.prepare(`127.0.0.1:${port}/etcd:1`),
  );
  assert.match(
    error.message,
    /cannot read the manifest of 'etcd:1' from '127\.0\.0\.1:\d+': connection refused/,
  );
  assert.equal(error.exitStatus, 75);
  assert.ok(performance.now() - started < 10_000);
});

test('a registry whose name does not exist is named', async () => {
  await using puller = new Puller();
  const error = await assertFails('REGISTRY_UNREACHABLE', () =>
    puller.prepare('registry.invalid/etcd:1'),
  );
  assert.match(error.message, /'registry\.invalid'/);
});

each(
  'a registry that is slow is left',
  [
    { name: 'R38 headers that never come', interference: silent },
    { name: 'R38 a body that stops', interference: trickle(60_000) },
  ],
  async ({ interference }) => {
    await using registry = await serve();
    registry.interfere(only(forPath('/manifests/'), interference));
    await using puller = new Puller({
      timeouts: quickTimeouts,
      retries: { ...quickRetries, attempts: 2 },
    });
    await assertFails('REGISTRY_UNREACHABLE', () => puller.prepare(`${registry.host}/etcd:1`));
    const asked = registry.seen.filter(({ method }) => method === 'GET');
    assert.equal(asked.length, 2);
  },
);

test('R38 a connection that is taken and never answered is left', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await using puller = new Puller({
    timeouts: quickTimeouts,
    retries: { ...quickRetries, attempts: 1 },
  });
  await assertFails('REGISTRY_UNREACHABLE', () => puller.prepare(`http:127.0.0.1:${port}/etcd:1`));
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('R38 headers that trickle are not waited for', async () => {
  const server = createServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => {
      clearInterval(timer);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await using puller = new Puller({
    timeouts: quickTimeouts,
    retries: { ...quickRetries, attempts: 1 },
  });
  const started = performance.now();
  await assertFails('REGISTRY_UNREACHABLE', () => puller.prepare(`http:127.0.0.1:${port}/etcd:1`));
  assert.ok(performance.now() - started < 20_000);
  await new Promise((resolve) => server.close(resolve));
});

test('R38 a byte now and then is not progress', async () => {
  async function* drops() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield Buffer.from('x');
    }
  }
  let bytes = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of watchProgress(drops(), { windowMs: 50, minBytes: 100 })) {
        bytes += chunk.length;
      }
    },
    { name: 'HttpFailure', kind: 'timeout' },
  );
  assert.ok(bytes < 100, `${bytes}`);
});

test("R38 waiting for a slow consumer is not the wire's fault", async () => {
  async function* quick() {
    for (let piece = 0; piece < 4; piece++) {
      await Promise.resolve();
      yield Buffer.from('x');
    }
  }
  let pieces = 0;
  for await (const piece of watchProgress(quick(), { windowMs: 20, minBytes: 100 })) {
    pieces += piece.length;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  assert.equal(pieces, 4);
});

each(
  'a registry that is out of order for a moment is asked again',
  [
    { name: 'R40 429 with Retry-After', status: 429, headers: { 'retry-after': '0' } },
    { name: 'R41 Retry-After: -1', status: 429, headers: { 'retry-after': '-1' } },
    { name: 'R41 Retry-After of years', status: 429, headers: { 'retry-after': '1000000000000' } },
    {
      name: 'R41 Retry-After in the year 9999',
      status: 503,
      headers: { 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' },
    },
    { name: 'R42 500', status: 500, headers: {} },
    { name: 'R42 502', status: 502, headers: {} },
    { name: 'R42 503', status: 503, headers: {} },
    { name: 'R42 504', status: 504, headers: {} },
  ] as { name: string; status: number; headers: Record<string, string> }[],
  async ({ status, headers }) => {
    await using registry = await serve();
    registry.interfere(only(forPath('/manifests/'), answer(status, headers), 2));
    registry.interfere(only(forPath(blobPath), answer(status, headers), 2));
    await using puller = new Puller();
    const started = performance.now();
    await puller.pull(`${registry.host}/etcd:1`);
    assert.ok(performance.now() - started < 20_000, 'a header made berth sleep');
  },
);

test('R40 a registry that stays out of order is left, with its words', async () => {
  await using registry = await serve();
  const words = '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}';
  registry.interfere(only(forPath('/manifests/'), answer(429, {}, words)));
  await using puller = new Puller();
  const error = await assertFails('REGISTRY_TEMPORARY', () =>
    puller.prepare(`${registry.host}/etcd:1`),
  );
  assert.match(error.message, /answered 429: TOOMANYREQUESTS: slow down/);
  assert.equal(
    registry.seen.filter(({ url }) => url.includes('/manifests/')).length,
    quickRetries.attempts + 1,
  );
});

test('what is refused for good is not asked for again', async () => {
  for (const status of [400, 401, 403, 404, 405, 501]) {
    await using registry = await serve();
    const before = registry.seen.length;
    registry.interfere(only(forPath('/manifests/'), answer(status, {})));
    await using puller = new Puller();
    await assert.rejects(puller.prepare(`${registry.host}/etcd:1`));
    assert.equal(registry.seen.length - before, 1, `${status}`);
  }
});

test('F48 a pull over a link that is cut every 64 KiB comes to its end, with few bytes twice', async () => {
  const big = gzipSync(buildTar([{ path: 'file', content: Buffer.alloc(8 << 20, 'abcdefg') }]), {
    level: 0,
  });
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: big }],
  });
  let sent = 0;
  registry.interfere(
    only(forPath(sha256(big)), (request, response) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      sent += Math.min(65_536, big.length - start);
      return cutAfter(big, 65_536)(request, response);
    }),
  );
  await using puller = new Puller();
  await puller.pull(`${registry.host}/etcd:1`);
  assert.ok(sent <= big.length * 1.1, `${sent} of ${big.length}`);
});

test('one failing layer stops the others, and its error is what comes out', async () => {
  const layers = [1, 2, 3].map((number) =>
    gzipSync(buildTar([{ path: `f${number}`, content: Buffer.alloc(1000, number) }])),
  );
  const [bad = layer] = layers;
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: layers.map((blob) => ({ content: blob })),
  });
  // two never end; the third is wrong
  const [, second = layer, third = layer] = layers;
  registry.interfere(only(forPath(sha256(second)), trickle(50)));
  registry.interfere(only(forPath(sha256(third)), trickle(50)));
  registry.interfere(only(forPath(sha256(bad)), answer(200, {}, Buffer.alloc(bad.length))));
  await using puller = new Puller();
  const error = await assertFails('CONTENT_MISMATCH', () => puller.pull(`${registry.host}/etcd:1`));
  assert.match(error.message, /layer 1 of 3/);
  assert.deepEqual(await puller.store.listImages(), []);
});

test('F13 a pull that is interrupted stops at once; what was whole stays for the next one', async () => {
  const small = gzipSync(buildTar([{ path: 'small', content: 'x' }]));
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: small }, { content: layer }],
  });
  registry.interfere(only(forPath(blobPath), trickle(20), 1));
  await using puller = new Puller();
  const stop = new AbortController();
  const reason = new Error('Ctrl-C');
  const pulling = puller.pull(`${registry.host}/etcd:1`, {
    signal: stop.signal,
    onProgress: ({ phase, layer: { digest } }) => {
      if (phase === 'done' && digest === sha256(small)) stop.abort(reason);
    },
  });
  await assert.rejects(pulling);
  assert.deepEqual(await puller.store.listImages(), []);
  const plan = await puller.prepare(`${registry.host}/etcd:1`, amd64);
  assert.deepEqual(
    plan.layers.map(({ present }) => present),
    [true, false],
  );
  await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(registry.blobRequests.filter(({ url }) => url.includes(sha256(small))).length, 1);
});
