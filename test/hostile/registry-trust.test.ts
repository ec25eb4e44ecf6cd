import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { Credentials } from '../../src/registry/credentials.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry, type FakeRegistryOptions } from '../support/fake-registry.js';
import { answer, forPath, only, redirectTo } from '../support/misbehaviours.js';
import { Puller, type PullerOptions } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';

const layer = gzipSync(buildTar([{ path: 'file', content: 'x'.repeat(1000) }]));
const blobPath = `/blobs/${sha256(layer)}`;
const secret = 'the-secret-password';
const credentials: Credentials = { kind: 'password', username: 'me', password: secret };
const basic = `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`;

/** A registry with an image, whose only account is ours. */
async function serve(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start(options);
  // what is pushed here needs no login: it is put in before the registry asks for one
  const open = { architecture: 'amd64', layers: [{ content: layer }] };
  const target = { origin: registry.origin, repository: 'etcd' };
  if (options.login === undefined) await pushImage(target, '1', open);
  return registry;
}

const withCredentials: PullerOptions = {
  findCredentials: ({ registry }) =>
    Promise.resolve(registry.startsWith('127.0.0.1') ? credentials : undefined),
};

/** A stranger's server, which writes down what it is told. */
async function startStranger(body: Uint8Array = layer, status = 200) {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.writeHead(
      status,
      status === 401 ? { 'www-authenticate': 'Basic realm="give me"' } : {},
    );
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks for a login before anything else, and then lets the request through to the registry. */
function demandBasic(registry: FakeRegistry): void {
  registry.interfere((request, response) => {
    if (request.headers.authorization === basic) return false;
    return answer(401, { 'www-authenticate': 'Basic realm="x"' })(request, response);
  });
}

test('R13 R15 a redirect to another host gets the blob, and of the request only what strangers may see', async () => {
  await using registry = await serve();
  await using cdn = await startStranger();
  registry.interfere(only(forPath(blobPath), redirectTo(`${cdn.origin}/blob?sig=1`)));
  demandBasic(registry);
  await using puller = new Puller(withCredentials);
  await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(cdn.seen.length, 1);
  const [headers = {}] = cdn.seen;
  assert.equal(headers.authorization, undefined, 'credentials went to a stranger');
  assert.deepEqual(
    Object.keys(headers)
      .filter((name) => !['host', 'connection'].includes(name))
      .sort(),
    ['accept', 'accept-encoding', 'user-agent'],
  );
  // control: the registry itself did get them
  assert.ok(registry.seen.some((request) => request.headers.authorization === basic));
});

test('R13 a redirect on the same host and port keeps the credentials', async () => {
  await using registry = await serve();
  demandBasic(registry);
  registry.interfere(only(forPath('/manifests/1'), redirectTo('/v2/etcd/manifests/2')));
  await pushImage(
    { origin: registry.origin, repository: 'etcd', headers: { authorization: basic } },
    '2',
    {
      architecture: 'amd64',
      layers: [{ content: layer }],
    },
  );
  await using puller = new Puller(withCredentials);
  await puller.prepare(`${registry.host}/etcd:1`);
});

test('R24 a stranger that asks for credentials after a redirect gets none', async () => {
  await using registry = await serve();
  await using stranger = await startStranger(Buffer.alloc(0), 401);
  registry.interfere(only(forPath(blobPath), redirectTo(`${stranger.origin}/blob`)));
  await using puller = new Puller(withCredentials);
  await assertFails('REGISTRY_UNAUTHORIZED', () => puller.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(
    stranger.seen.map(({ authorization }) => authorization),
    [undefined],
  );
});

test('R24 the urls of a foreign layer are not asked', async () => {
  await using stranger = await startStranger();
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: buildTar([]) }],
    manifest: {
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
          digest: sha256(layer),
          size: layer.length,
          urls: [`${stranger.origin}/layer`],
        },
      ],
    },
  });
  await using puller = new Puller(withCredentials);
  await assertFails('REGISTRY_NOT_FOUND', () => puller.pull(`${registry.host}/etcd:1`));
  assert.deepEqual(stranger.seen, [], 'a manifest sent berth to a stranger');
});

each(
  'a redirect is refused',
  [
    { name: 'R17 to a file', location: 'file:///etc/passwd' },
    { name: 'R17 to a socket', location: 'unix:/run/docker.sock' },
    { name: 'R17 to data', location: 'data:text/plain,x' },
    { name: 'R17 to ftp', location: 'ftp://ftp.example/x' },
    { name: 'R20 to the metadata of a cloud', location: 'http://169.254.169.254/latest/meta-data' },
    { name: 'R20 to them in IPv6 clothes', location: 'http://[::ffff:169.254.169.254]/' },
    { name: 'R20 to them as a number', location: 'http://2852039166/' },
    { name: 'with credentials of its own', location: 'http://user:pass@127.0.0.1/' },
    { name: 'to no URL', location: 'http://' },
    { name: 'to a port that is none', location: 'http://127.0.0.1:99999/' },
  ],
  async ({ location }) => {
    await using registry = await serve();
    registry.interfere(only(forPath(blobPath), redirectTo(location)));
    await using puller = new Puller();
    await assertFails('REGISTRY_REDIRECT', () => puller.pull(`${registry.host}/etcd:1`));
    assert.equal(registry.blobRequests.length, 2, 'a refused redirect was tried again');
  },
);

test('R18 redirects in a circle are left after ten', async () => {
  await using registry = await serve();
  registry.interfere(only(forPath(blobPath), redirectTo(`/v2/etcd${blobPath}`)));
  await using puller = new Puller();
  const error = await assertFails('REGISTRY_REDIRECT', () =>
    puller.pull(`${registry.host}/etcd:1`),
  );
  assert.match((error.cause as Error).message, /more than 10 times/);
  assert.equal(registry.blobRequests.filter(({ url }) => url.includes(blobPath)).length, 11);
});

each(
  'a token server is refused',
  [
    {
      name: 'R20 at the metadata of a cloud',
      realm: 'http://169.254.169.254/token',
      code: 'REGISTRY_REDIRECT',
    },
    { name: 'in a file', realm: 'file:///etc/passwd', code: 'REGISTRY_REDIRECT' },
    {
      name: 'with credentials of its own',
      realm: 'http://a:b@127.0.0.1/token',
      code: 'REGISTRY_REDIRECT',
    },
    { name: 'that is no URL', realm: 'token', code: 'REGISTRY_PROTOCOL' },
  ] as const,
  async ({ realm, code }) => {
    await using registry = await serve({ login: 'bearer', realm });
    await using puller = new Puller();
    await assertFails(code, () => puller.prepare(`${registry.host}/etcd:1`));
  },
);

test('R21 credentials do not go to a token server of somebody else', async () => {
  await using stranger = await startStranger(Buffer.from('{"token":"x"}'));
  // by name, so that it is another host than the registry's address
  const realm = stranger.origin.replace('127.0.0.1', 'localhost');
  await using registry = await serve({ login: 'bearer', realm });
  await using puller = new Puller(withCredentials);
  const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
    puller.prepare(`${registry.host}/etcd:1`),
  );
  assert.match(error.message, /refusing to show your credentials there/);
  assert.equal(stranger.seen.length, 0, 'a stranger was asked');
  // control: once allowed for this registry, it is asked, and with them
  await using trusting = new Puller({
    ...withCredentials,
    trustedRealmHosts: new Map([[registry.host, ['localhost']]]),
  });
  await assertFails('REGISTRY_UNAUTHORIZED', () => trusting.prepare(`${registry.host}/etcd:1`));
  assert.equal(stranger.seen[0]?.authorization, basic);
});

test('R21 without credentials a token server elsewhere may be asked', async () => {
  await using stranger = await startStranger(Buffer.from('{"token":"x"}'));
  const realm = stranger.origin.replace('127.0.0.1', 'localhost');
  await using registry = await serve({ login: 'bearer', realm });
  await using puller = new Puller();
  await assertFails('REGISTRY_UNAUTHORIZED', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(stranger.seen[0]?.authorization, undefined);
});

test('R25 a registry that is never content is left after two tokens', async () => {
  await using registry = await serve({ login: 'bearer' });
  registry.interfere(
    only(
      forPath('/v2/'),
      answer(401, { 'www-authenticate': `Bearer realm="${registry.origin}/token",service="x"` }),
    ),
  );
  await using puller = new Puller();
  await assertFails('REGISTRY_UNAUTHORIZED', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(registry.seen.filter(({ url }) => url.startsWith('/token')).length, 2);
});

test('R07 a token of 2 MiB is refused, and one that is no header', async () => {
  for (const [body, code] of [
    [JSON.stringify({ token: 'x'.repeat(2 << 20) }), 'LIMIT_EXCEEDED'],
    [JSON.stringify({ token: 'x'.repeat(20_000) }), 'REGISTRY_PROTOCOL'],
    [JSON.stringify({ token: 'a\r\nHost: evil' }), 'REGISTRY_PROTOCOL'],
    ['{"token":1}', 'REGISTRY_PROTOCOL'],
    ['[]', 'REGISTRY_PROTOCOL'],
    ['{"token":"a","token":"b"}', 'JSON_INVALID'],
  ] as const) {
    await using registry = await serve({ login: 'bearer' });
    registry.interfere(only(forPath('/token'), answer(200, {}, body)));
    await using puller = new Puller();
    await assertFails(code, () => puller.prepare(`${registry.host}/etcd:1`));
  }
});

test('a token is asked for reading this repository only, whatever the challenge wants', async () => {
  await using registry = await serve({ login: 'bearer' });
  registry.interfere(
    only(
      (request) => request.url?.startsWith('/v2/') === true,
      answer(401, {
        'www-authenticate': `Bearer realm="${registry.origin}/token",service="x",scope="repository:other:pull,push repository:etcd:*"`,
      }),
    ),
  );
  await using puller = new Puller(withCredentials);
  await assertFails('REGISTRY_UNAUTHORIZED', () => puller.prepare(`${registry.host}/etcd:1`));
  const asked = registry.seen.filter(({ url }) => url.startsWith('/token'));
  assert.ok(asked.length > 0);
  for (const { url } of asked) {
    assert.deepEqual(new URL(url, registry.origin).searchParams.getAll('scope'), [
      'repository:etcd:pull',
    ]);
  }
});

test('a token that runs out in the middle is renewed once', async () => {
  await using registry = await serve();
  const challenge = { 'www-authenticate': `Bearer realm="${registry.origin}/token",service="x"` };
  registry.interfere(
    only(
      (request) =>
        request.url?.startsWith('/v2/') === true && request.headers.authorization === undefined,
      answer(401, challenge),
    ),
  );
  registry.interfere(only(forPath(blobPath), answer(401, challenge), 1));
  await using puller = new Puller();
  await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(registry.seen.filter(({ url }) => url.startsWith('/token')).length, 2);
});

test('layers that are challenged together share one token', async () => {
  const layers = [1, 2, 3, 4].map((number) =>
    gzipSync(buildTar([{ path: `f${number}`, content: Buffer.alloc(1000, number) }])),
  );
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: layers.map((content) => ({ content })),
  });
  const tokens = new Set<string>();
  registry.interfere((request, response) => {
    if (request.url?.startsWith('/token') === true) {
      const token = `token-${tokens.size}`;
      tokens.add(token);
      return answer(200, {}, JSON.stringify({ token }))(request, response);
    }
    const isLayer = layers.some((blob) => request.url?.includes(sha256(blob)) === true);
    if (!isLayer || request.headers.authorization?.startsWith('Bearer token-') === true)
      return false;
    return answer(401, { 'www-authenticate': `Bearer realm="${registry.origin}/token"` })(
      request,
      response,
    );
  });
  await using puller = new Puller();
  await puller.pull(`${registry.host}/etcd:1`);
  assert.equal(tokens.size, 1);
});

test('a refresh token goes into the body of a request, never into a URL', async () => {
  await using registry = await serve({ login: 'bearer' });
  const bodies: string[] = [];
  registry.interfere(async (request, response) => {
    if (request.url?.startsWith('/token') !== true) return false;
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    bodies.push(`${request.method ?? ''} ${body}`);
    return await answer(200, {}, '{"access_token":"x"}')(request, response);
  });
  await using puller = new Puller({
    findCredentials: () => Promise.resolve({ kind: 'refresh-token', token: secret }),
  });
  await assertFails('REGISTRY_UNAUTHORIZED', () => puller.prepare(`${registry.host}/etcd:1`));
  const [first = ''] = bodies;
  assert.match(first, /^POST /);
  const fields = new URLSearchParams(first.slice('POST '.length));
  assert.equal(fields.get('grant_type'), 'refresh_token');
  assert.equal(fields.get('refresh_token'), secret);
  assert.equal(fields.get('scope'), 'repository:etcd:pull');
  assert.ok(
    registry.seen.every(({ url }) => !url.includes(secret)),
    'a secret stands in a URL',
  );
});

test('R23 credentials of one registry are not offered to another', async () => {
  await using registry = await serve();
  demandBasic(registry);
  await using puller = new Puller({
    findCredentials: (target) =>
      Promise.resolve(target.registry === 'quay.io' ? credentials : undefined),
  });
  const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
    puller.prepare(`${registry.host}/etcd:1`),
  );
  assert.match(error.message, /there is none for '127\.0\.0\.1:\d+\/etcd'/);
  assert.ok(registry.seen.every(({ headers }) => headers.authorization === undefined));
});

test('R57 no password, token or signed query stands in an error', async () => {
  await using registry = await serve();
  await using cdn = await startStranger(Buffer.from('denied'), 403);
  registry.interfere(only(forPath(blobPath), redirectTo(`${cdn.origin}/b?X-Sig=signed-secret`)));
  demandBasic(registry);
  await using puller = new Puller(withCredentials);
  const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
    puller.pull(`${registry.host}/etcd:1`),
  );
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.message, at.stack ?? '', JSON.stringify(at));
  }
  const shown = parts.join('\n');
  assert.match(shown, /answered 403: 'denied'/);
  for (const word of [secret, 'signed-secret', basic.slice(6)]) {
    assert.ok(!shown.includes(word), `${word} stands in an error`);
  }
});

test('a refused account is told from one that is missing', async () => {
  await using registry = await serve();
  demandBasic(registry);
  const hintFor = async (options: PullerOptions): Promise<string> => {
    await using puller = new Puller(options);
    const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
      puller.prepare(`${registry.host}/etcd:1`),
    );
    return error.hint ?? '';
  };
  const wrong: Credentials = { kind: 'password', username: 'me', password: 'guessed' };
  assert.equal(
    await hintFor({ findCredentials: () => Promise.resolve(wrong) }),
    `the account was refused: check its name and password (berth login -u NAME ${registry.host})`,
  );
  assert.equal(await hintFor({}), `'berth login -u NAME ${registry.host}'`);
});
