import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { createProxyFinder } from '../../src/registry/find-proxy.js';
import { parseRegistriesConf } from '../../src/registry/registries-conf.js';
import { askHttp } from '../support/ask-http.js';
import { assertFails } from '../support/assert-fails.js';
import { TestAuthority, type Certificate } from '../support/certificates.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { forPath, only, redirectTo } from '../support/misbehaviours.js';
import { naiveAsk, naiveSignIn } from '../support/naive-client.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { TempDir } from '../support/temp-dir.js';
import { buildTar } from '../support/tar-builder.js';

const layer = buildTar([{ path: 'file', content: 'x' }]);
/** What a naive client shows to whoever it speaks with. */
const account = { authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` };
const folder = new TempDir();
let authority: TestAuthority;
let stranger: TestAuthority;
let good: Certificate;

before(async () => {
  for (const name of ['own', 'other']) mkdirSync(join(folder.path, name));
  authority = await TestAuthority.create(join(folder.path, 'own'));
  stranger = await TestAuthority.create(join(folder.path, 'other'));
  good = await authority.issue(['127.0.0.1', 'localhost']);
});
after(() => {
  folder[Symbol.dispose]();
});

/** A registry with an image, and the certs.d that a client needs for it. */
interface Served extends AsyncDisposable {
  readonly registry: FakeRegistry;
  readonly certDirs: readonly string[];
}

/** A registry behind TLS, and a certs.d that knows our authority for it. */
async function serve(tls: Certificate): Promise<Served> {
  const registry = await FakeRegistry.start({ tls });
  await pushImage({ origin: registry.origin, repository: 'etcd', insecure: true }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  return {
    registry,
    certDirs: [trust(registry)],
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

function trust(registry: { readonly host: string }): string {
  const certsD = join(folder.path, 'certs.d');
  mkdirSync(join(certsD, registry.host), { recursive: true });
  writeFileSync(join(certsD, registry.host, 'ca.crt'), authority.cert);
  return certsD;
}

test('control: a registry with a certificate of a known authority is pulled from', async () => {
  await using served = await serve(good);
  const { registry, certDirs } = served;
  await using puller = new Puller({ certDirs });
  await puller.pull(`${registry.host}/etcd:1`);
});

each(
  'a certificate is refused, which a naive client takes',
  [
    { name: 'R51 of an unknown authority', issue: () => stranger.issue(['127.0.0.1']) },
    { name: 'R51 for another host', issue: () => authority.issue(['registry.example']) },
    { name: 'R51 that has ended', issue: () => authority.issue(['127.0.0.1'], { expired: true }) },
  ],
  async ({ issue }) => {
    await using served = await serve(await issue());
    const { registry, certDirs } = served;
    await using puller = new Puller({ certDirs });
    const before = registry.seen.length;
    const error = await assertFails('REGISTRY_TLS', () =>
      puller.prepare(`${registry.host}/etcd:1`),
    );
    assert.match(error.hint ?? '', /certs\.d\/127\.0\.0\.1:\d+\/ca\.crt/);
    assert.equal(error.exitStatus, 77);
    assert.equal(registry.seen.length, before, 'a request went to a server that proved nothing');
    // control: a naive client shows its account to whoever holds that certificate
    const taken = await naiveAsk(`${registry.origin}/v2/etcd/manifests/1`, account);
    assert.equal(taken.status, 200);
    assert.equal(registry.seen.at(-1)?.headers.authorization, account.authorization);
    // where registries.conf says insecure, the same certificate is taken
    await using lax = new Puller({ certDirs, registriesConf: insecure(registry.host) });
    await lax.prepare(`${registry.host}/etcd:1`);
  },
);

test('R51 TLS 1.1 is not spoken, with whatever certificate, as a lax client does', async () => {
  const old = {
    ...good,
    minVersion: 'TLSv1' as const,
    maxVersion: 'TLSv1.1' as const,
    // OpenSSL 3 has no signature for it but at this level
    ciphers: 'DEFAULT@SECLEVEL=0',
  };
  await using registry = await FakeRegistry.start({ tls: old });
  const certDirs = [trust(registry)];
  await using puller = new Puller({ certDirs });
  await assertFails('REGISTRY_TLS', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(registry.seen.length, 0, 'a request went over TLS 1.1');
  // control: a client that is lax gets there
  const [address = '', port = ''] = registry.host.split(':');
  const { maxVersion, ciphers } = old;
  const socket = connectTls({
    ...{ host: address, port: Number(port), ca: authority.cert },
    ...{ minVersion: 'TLSv1', maxVersion, ciphers },
  });
  await once(socket, 'secureConnect');
  assert.equal(socket.getProtocol(), 'TLSv1.1');
  socket.destroy();
});

test('R51 a bad certificate is no reason to speak http, as it is to a naive client', async () => {
  await using served = await serve(await stranger.issue(['127.0.0.1']));
  await using plain = await servePlain();
  await using both = await startBoth(served.registry, plain.registry);
  await using puller = new Puller({ certDirs: [trust(both)] });
  const before = plain.registry.seen.length;
  await assertFails('REGISTRY_TLS', () => puller.prepare(`${both.host}/etcd:1`));
  assert.equal(plain.registry.seen.length, before, 'http was spoken');
  // control: who goes by "https, or else http" is read along, with the account
  const path = `${both.host}/v2/etcd/manifests/1`;
  const strict = askHttp(`https://${path}`, { ca: authority.cert, headers: account });
  const taken = await strict.catch(() => askHttp(`http://${path}`, { headers: account }));
  assert.equal(taken.status, 200);
  assert.equal(plain.registry.seen.at(-1)?.headers.authorization, account.authorization);
});

test('http is spoken where nobody listens in between, where it is asked for, and nowhere else', async () => {
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  await using puller = new Puller();
  await puller.prepare(`${registry.host}/etcd:1`);
  await puller.prepare(`http:${registry.host}/etcd:1`);
  const error = await assertFails('REGISTRY_TLS', () =>
    puller.prepare(`https:${registry.host}/etcd:1`),
  );
  assert.match(error.hint ?? '', /http:127\.0\.0\.1:\d+\/etcd/);
});

test("the host's authorities count for a registry on this host, and are not read for one without TLS", async () => {
  await using served = await serve(good);
  const bundle = join(folder.path, 'bundle.crt');
  writeFileSync(bundle, `${stranger.cert}${authority.cert}`);
  await using puller = new Puller({ bundle });
  await puller.pull(`${served.registry.host}/etcd:1`);
  await using wary = new Puller();
  await assertFails('REGISTRY_TLS', () => wary.prepare(`${served.registry.host}/etcd:1`));
  await using plain = await servePlain();
  const unreadable = folder.path;
  await using quick = new Puller({ bundle: unreadable });
  await quick.pull(`${plain.registry.host}/etcd:1`);
  // control: where it is read, that is an error
  await assertFails('LIMIT_EXCEEDED', () => quick.prepare(`${served.registry.host}/etcd:1`));
});

test('R16 a redirect from https to http is refused, unless registries.conf says insecure', async () => {
  await using served = await serve(good);
  const { registry, certDirs } = served;
  await using plain = await FakeRegistry.start();
  await pushImage({ origin: plain.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  const path = `/v2/etcd/blobs/${sha256(layer)}`;
  registry.interfere(only(forPath(path), redirectTo(`${plain.origin}${path}`)));
  await using puller = new Puller({ certDirs });
  await assertFails('REGISTRY_REDIRECT', () => puller.pull(`${registry.host}/etcd:1`));
  assert.equal(plain.blobRequests.length, 0);
  await using lax = new Puller({ certDirs, registriesConf: insecure(registry.host) });
  await lax.pull(`${registry.host}/etcd:1`);
  assert.equal(plain.blobRequests.length, 1);
});

test('R22 a token server with a bad certificate gets nothing', async () => {
  await using served = await serve(await stranger.issue(['127.0.0.1']));
  const tokens = served.registry;
  const before = tokens.seen.length;
  await using registry = await FakeRegistry.start({
    tls: good,
    login: 'bearer',
    realm: `${tokens.origin}/token`,
  });
  await using puller = new Puller({ certDirs: [trust(registry)] });
  await assertFails('REGISTRY_TLS', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(tokens.seen.length, before);
  // control: a naive client signs in there
  await naiveSignIn(`${registry.origin}/v2/`, account.authorization);
  assert.equal(tokens.seen.at(-1)?.headers.authorization, account.authorization);
});

test('R22 an https registry cannot name a token server in the clear', async () => {
  await using plain = await FakeRegistry.start();
  await using registry = await FakeRegistry.start({
    tls: good,
    login: 'bearer',
    realm: `${plain.origin}/token`,
  });
  await using puller = new Puller({ certDirs: [trust(registry)] });
  await assertFails('REGISTRY_REDIRECT', () => puller.prepare(`${registry.host}/etcd:1`));
  assert.equal(plain.seen.length, 0);
  // control: a naive client sends its account in the clear
  await naiveSignIn(`${registry.origin}/v2/`, account.authorization);
  assert.equal(plain.seen.at(-1)?.headers.authorization, account.authorization);
});

test('certs.d with a certificate that is none, or without its key, is named', async () => {
  await using served = await serve(good);
  const { registry } = served;
  const certsD = join(folder.path, 'broken.d');
  const own = join(certsD, registry.host);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'client.cert'), good.cert);
  await using keyless = new Puller({ certDirs: [certsD] });
  const error = await assertFails('CONFIG_INVALID', () =>
    keyless.prepare(`${registry.host}/etcd:1`),
  );
  assert.match(error.message, /client\.cert' has no 'client\.key' beside it/);
  writeFileSync(join(own, 'client.key'), 'not a key');
  await using broken = new Puller({ certDirs: [certsD] });
  await assertFails('CONFIG_INVALID', () => broken.prepare(`${registry.host}/etcd:1`));
});

each(
  'a proxy of the environment is gone through',
  [
    { name: 'to an https registry, by a tunnel', secure: true },
    { name: 'to an http registry', secure: false },
  ],
  async ({ secure }) => {
    await using proxy = await startProxy();
    await using served = secure ? await serve(good) : await servePlain();
    const { registry } = served;
    const find = createProxyFinder({
      HTTP_PROXY: `http://me:secret@${proxy.host}`,
      HTTPS_PROXY: `http://me:secret@${proxy.host}`,
    });
    // loopback is never proxied by itself: the test's registry stands for one elsewhere
    const findProxy = (url: URL) =>
      find(new URL(url.href.replace('127.0.0.1', 'registry.example')));
    await using puller = new Puller({ certDirs: served.certDirs, findProxy });
    await puller.pull(`${secure ? 'https' : 'http'}:${registry.host}/etcd:1`);
    assert.ok(proxy.seen.length > 0, 'the proxy was passed by');
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    assert.ok(proxy.seen.every((authorization) => authorization === basic));
    assert.ok(
      registry.seen.every(({ headers }) => headers['proxy-authorization'] === undefined),
      "the proxy's password went to the registry",
    );
  },
);

async function servePlain(): Promise<Served> {
  const registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  return {
    registry,
    certDirs: [],
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** One address, at which who speaks TLS is led to one registry and who does not to another. */
async function startBoth(secure: FakeRegistry, plain: FakeRegistry) {
  const server = createTcpServer((client) => {
    client.on('error', () => undefined);
    client.once('data', (first) => {
      // The type of a record that holds a handshake (RFC 8446, section 5.1).
      const { host } = first[0] === 22 ? secure : plain;
      const upstream = connect(Number(host.split(':')[1]), '127.0.0.1');
      upstream.on('error', () => client.destroy());
      upstream.write(first);
      upstream.pipe(client);
      client.pipe(upstream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A proxy that tunnels to 127.0.0.1 only, and writes down who asked. */
async function startProxy() {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers['proxy-authorization']);
    response.writeHead(501).end();
  });
  server.on('connect', (request, client, head) => {
    seen.push(request.headers['proxy-authorization']);
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    for (const socket of [upstream, client]) {
      socket.on('error', () => {
        upstream.destroy();
        client.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    seen,
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function insecure(host: string) {
  return parseRegistriesConf(
    `[[registry]]\nlocation = "${host}"\ninsecure = true\n`,
    'registries.conf',
  );
}
