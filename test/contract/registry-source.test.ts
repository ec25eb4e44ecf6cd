import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { executePull, type PullProgress } from '../../src/images/execute-pull.js';
import { readHostPlatform } from '../../src/images/host-platform.js';
import { preparePull } from '../../src/images/prepare-pull.js';
import { createDecompressor } from '../../src/layer/create-decompressor.js';
import { EMPTY_REGISTRIES_CONF } from '../../src/registry/registries-conf.js';
import { RegistryClient, type RegistryClientOptions } from '../../src/registry/registry-client.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { TransportContext } from '../../src/transport/transport-context.js';
import { openImageSource } from '../../src/transport/open-image-source.js';
import { acceptAnything } from '../support/accept-anything.js';
import { assertFails } from '../support/assert-fails.js';
import { askHttp } from '../support/ask-http.js';
import { TestAuthority } from '../support/certificates.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { pushImage, pushIndex, type PushTarget } from '../support/push-image.js';
import { startRegistry } from '../support/registry.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

const account = { user: 'etcd', password: 'not:so secret ü' };

/** A registry with an image in it, and what a client needs to get at it. */
interface Served extends AsyncDisposable {
  readonly target: Omit<PushTarget, 'repository'>;
  readonly host: string;
  readonly client: Partial<RegistryClientOptions>;
}

interface Kind {
  readonly name: string;
  /** Whether logging in is needed. */
  readonly guarded: boolean;
  readonly serve: () => Promise<Served>;
}

const kinds: readonly Kind[] = [
  {
    name: 'docker-registry, http',
    guarded: false,
    serve: () => servePlain(startRegistry()),
  },
  {
    name: 'docker-registry, https and htpasswd',
    guarded: true,
    serve: () => serveGuarded(startRegistry({ tls: true, credentials: account })),
  },
  {
    name: 'the fake registry, http',
    guarded: false,
    serve: () => servePlain(FakeRegistry.start()),
  },
  {
    name: 'the fake registry, anonymous tokens',
    guarded: false,
    serve: () => servePlain(FakeRegistry.start({ login: 'bearer' }), tokenFor),
  },
  {
    name: 'the fake registry, https and tokens',
    guarded: true,
    serve: () => serveGuarded(startFakeGuarded(), tokenFor),
  },
];

for (const { name, guarded, serve } of kinds) {
  suite(`an image source over ${name}`, () => {
    test('pulls an image through an index, layers side by side, and nothing twice', async () => {
      await using served = await serve();
      const target = { ...served.target, repository: 'library/etcd' };
      const blobs = [1, 2, 3].map((number) =>
        gzipSync(buildTar([{ path: `file${number}`, content: Buffer.alloc(300_000, number) }])),
      );
      const mine = await pushImage(target, undefined, {
        layers: [...blobs, ...blobs.slice(0, 1)].map((content) => ({ content })),
        process: { Cmd: ['/usr/bin/etcd'] },
      });
      const other = await pushImage(target, undefined, {
        layers: [{ content: buildTar([]) }],
        architecture: 's390x',
      });
      await pushIndex(target, '3.5', [other, mine]);
      await using client = createClient(served);
      const source = await open(client, `${served.host}/library/etcd:3.5`);
      using folder = new TempDir();
      await using store = openEmbeddedStore(folder.path);
      const options = { store, platform: readHostPlatform(), trust: acceptAnything, signal };

      const plan = await preparePull(source, options);
      assert.equal(plan.digest, mine.digest);
      assert.equal(plan.alreadyPresent, false);
      assert.equal(plan.layers.length, 4);
      assert.equal(
        plan.bytesToFetch,
        blobs.reduce((sum, blob) => sum + blob.length, 0),
      );
      assert.deepEqual(plan.config.process.cmd, ['/usr/bin/etcd']);

      const events: PullProgress[] = [];
      const image = await executePull(plan, {
        ...{ store, source, signal },
        onProgress: (event) => events.push(event),
      });
      assert.equal(image.digest, mine.digest);
      assert.deepEqual(image.names, [`${served.host}/library/etcd:3.5`]);
      assert.equal(events.filter(({ phase }) => phase === 'done').length, 3);

      const { name, storeName, identity } = source;
      const again = await preparePull(
        {
          ...{ name, storeName, identity },
          readManifest: (digest, how) => source.readManifest(digest, how),
          openBlob: () => assert.fail('the registry is asked for what the store has'),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
        options,
      );
      assert.deepEqual(again.configBytes, plan.configBytes);
      assert.equal(again.bytesToFetch, 0);
      assert.equal(again.alreadyPresent, true);
    });

    test('says that an image is not there', async () => {
      await using served = await serve();
      await using client = createClient(served);
      const source = await open(client, `${served.host}/library/none:1`);
      const error = await assertFails('REGISTRY_NOT_FOUND', () =>
        source.readManifest(undefined, { signal }),
      );
      assert.match(error.message, /library\/none:1.*404.*MANIFEST_UNKNOWN/);
    });

    if (guarded) {
      test('refuses wrong or missing credentials', async () => {
        await using served = await serve();
        for (const password of ['wrong', undefined]) {
          await using client = createClient({
            ...served,
            client: {
              ...served.client,
              findCredentials: () =>
                Promise.resolve(
                  password === undefined
                    ? undefined
                    : { kind: 'password', username: 'etcd', password },
                ),
            },
          });
          const source = await open(client, `${served.host}/library/etcd`);
          const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
            source.readManifest(undefined, { signal }),
          );
          assert.doesNotMatch(error.message, /wrong/, 'a password stands in an error');
        }
      });
    }
  });
}

const { signal } = new AbortController();

function createClient(served: Pick<Served, 'client'>): RegistryClient {
  return new RegistryClient({ certDirs: [], ...served.client });
}

function open(client: RegistryClient, name: string) {
  const context: TransportContext = {
    registryClient: client,
    registriesConf: EMPTY_REGISTRIES_CONF,
    workingDirectory: '/',
    spoolDirectory: '/var/tmp',
    createDecompressor: (compression, output) =>
      Promise.resolve(createDecompressor(compression, { take: output })),
    engineSocket: () => '/nonexistent/docker.sock',
  };
  return openImageSource(name, context, { signal });
}

interface Registry extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
}

type Login = (registry: Registry, ca?: string) => Promise<string>;

const basic = `Basic ${Buffer.from(`${account.user}:${account.password}`).toString('base64')}`;

async function servePlain(starting: Promise<Registry>, login?: Login): Promise<Served> {
  const registry = await starting;
  return {
    target: {
      origin: registry.origin,
      ...(login === undefined ? {} : { headers: { authorization: await login(registry) } }),
    },
    host: registry.host,
    client: {},
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

async function serveGuarded(
  starting: Promise<Registry & { readonly ca: string | undefined }>,
  login: Login = () => Promise.resolve(basic),
): Promise<Served> {
  const registry = await starting;
  const ca = registry.ca ?? '';
  const folder = new TempDir();
  const certsD = join(folder.path, registry.host);
  mkdirSync(certsD);
  writeFileSync(join(certsD, 'ca.crt'), ca);
  return {
    target: { origin: registry.origin, ca, headers: { authorization: await login(registry, ca) } },
    host: registry.host,
    client: {
      certDirs: [folder.path],
      findCredentials: () =>
        Promise.resolve({
          kind: 'password',
          username: account.user,
          password: account.password,
        }),
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

async function startFakeGuarded(): Promise<Registry & { readonly ca: string }> {
  using folder = new TempDir();
  const authority = await TestAuthority.create(folder.path);
  const registry = await FakeRegistry.start({
    tls: await authority.issue(['127.0.0.1']),
    login: 'bearer',
    accounts: { [account.user]: account.password },
  });
  return {
    host: registry.host,
    origin: registry.origin,
    ca: authority.cert,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** A token of the fake registry that may push what these tests push. */
async function tokenFor(registry: Registry, ca?: string): Promise<string> {
  const url = new URL('/token?scope=repository:library/etcd:pull,push', registry.origin);
  const { body } = await askHttp(url, {
    headers: { authorization: basic },
    ...(ca === undefined ? {} : { ca }),
  });
  return `Bearer ${(JSON.parse(body.toString()) as { token: string }).token}`;
}
