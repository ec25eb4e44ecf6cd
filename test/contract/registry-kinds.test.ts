import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import type { Credentials } from '../../src/registry/credentials.js';
import { assertFails } from '../support/assert-fails.js';
import { TestAuthority } from '../support/certificates.js';
import { Puller, type PullerOptions } from '../support/pull-from.js';
import { startRegistry, type RealRegistry, type RegistryOptions } from '../support/registry.js';
import { TempDir } from '../support/temp-dir.js';
import { TokenServer } from '../support/token-server.js';
import { writeLayout } from '../support/write-layout.js';

/*
 * Debian's docker-registry in each way that it can be set up: berth's own copy writes an image there and its pull reads it back;
 * whoever lacks what is needed gets neither.
 */

const account = { user: 'etcd', password: 'not:so secret ü' };
const folder = new TempDir();
let layout = '';
let signers: TestAuthority;

before(async () => {
  layout = writeLayout(join(folder.path, 'layout'), {
    layers: [[{ path: 'file', content: 'x'.repeat(10_000) }]],
  });
  mkdirSync(join(folder.path, 'signers'));
  signers = await TestAuthority.create(join(folder.path, 'signers'));
});
after(() => {
  folder[Symbol.dispose]();
});

interface Kind {
  readonly name: string;
  readonly options: RegistryOptions;
  /** Who is sent away, and how it is told. */
  readonly without?: {
    readonly code: ErrorCode;
    readonly lacking: 'credentials' | 'client' | 'authority';
  };
}

const kinds: readonly Kind[] = [
  { name: 'plain', options: {} },
  { name: 'plain, IPv6', options: { address: '::1' } },
  {
    name: 'TLS, IPv6',
    options: { tls: true, address: '::1' },
    without: { code: 'REGISTRY_TLS', lacking: 'authority' },
  },
  {
    name: 'TLS with certificates of clients',
    options: { tls: true, clientCertificate: true },
    without: { code: 'REGISTRY_TLS', lacking: 'client' },
  },
  {
    name: 'htpasswd',
    options: { credentials: account },
    without: { code: 'REGISTRY_UNAUTHORIZED', lacking: 'credentials' },
  },
];

for (const { name, options, without } of kinds) {
  test(`docker-registry is written to and read: ${name}`, async () => {
    await using registry = await startRegistry(options);
    await roundTrip(registry, clientOf(registry, {}));
    if (without === undefined) return;
    await using stranger = new Puller(clientOf(registry, { lacking: without.lacking }));
    await assertFails(without.code, () => stranger.prepare(`${registry.host}/team/etcd:1`));
  });
}

suite('docker-registry with a token server', () => {
  const tokenRows: readonly { readonly name: string; readonly address: '127.0.0.1' | '::1' }[] = [
    { name: 'IPv4', address: '127.0.0.1' },
    { name: 'IPv6', address: '::1' },
  ];
  for (const { name, address } of tokenRows) {
    test(`is written to and read, by password and by refresh token: ${name}`, async () => {
      const signer = await signers.issue(['signer.example']);
      await using tokens = await TokenServer.start({ account, signer, address });
      const { realm } = tokens;
      const { service, issuer } = TokenServer;
      await using registry = await startRegistry({
        address,
        tokens: { realm, service, issuer, ca: signers.cert },
      });
      await roundTrip(registry, clientOf(registry, {}));
      assert.ok(tokens.seen.includes('GET repository:team/etcd:pull,push'), tokens.seen.join());
      assert.ok(tokens.seen.includes('GET repository:team/etcd:pull'), tokens.seen.join());

      tokens.seen.length = 0;
      const token: Credentials = { kind: 'refresh-token', token: tokens.refreshToken };
      await roundTrip(registry, { findCredentials: () => Promise.resolve(token) });
      assert.ok(tokens.seen.every((line) => line.startsWith('POST ')));

      for (const wrong of [
        undefined,
        { kind: 'password', username: account.user, password: 'guessed' },
        { kind: 'refresh-token', token: 'guessed' },
      ] satisfies (Credentials | undefined)[]) {
        await using stranger = new Puller({ findCredentials: () => Promise.resolve(wrong) });
        const error = await assertFails('REGISTRY_UNAUTHORIZED', () =>
          stranger.prepare(`${registry.host}/team/etcd:1`),
        );
        assert.match(error.message, /wrong name or password/);
        assert.doesNotMatch(error.message, /guessed/);
      }
    });

    test(`takes a blob over from another repository, with a token for both: ${name}`, async () => {
      const signer = await signers.issue(['signer.example']);
      await using tokens = await TokenServer.start({ account, signer, address });
      const { realm } = tokens;
      const { service, issuer } = TokenServer;
      await using registry = await startRegistry({
        address,
        tokens: { realm, service, issuer, ca: signers.cert },
      });
      await using puller = new Puller(clientOf(registry, {}));
      await puller.copy(layout, `docker://${registry.host}/team/etcd:1`);
      await puller.copy(
        `docker://${registry.host}/team/etcd:1`,
        `docker://${registry.host}/other/etcd:1`,
      );
      const both = 'repository:other/etcd:pull,push repository:team/etcd:pull';
      assert.ok(
        tokens.seen.some((line) => line.endsWith(both)),
        tokens.seen.join('\n'),
      );
    });
  }
});

async function roundTrip(registry: RealRegistry, client: PullerOptions): Promise<void> {
  await using puller = new Puller(client);
  const reference = `${registry.host}/team/etcd:1`;
  const written = await puller.copy(layout, `docker://${reference}`);
  const image = await puller.pull(reference);
  assert.equal(image.digest, written.digest);
  assert.equal(image.contentBytes, 10_000);
}

/** A client that has all that the registry wants, but for one thing. */
function clientOf(
  registry: RealRegistry,
  { lacking }: { readonly lacking?: 'credentials' | 'client' | 'authority' },
): PullerOptions {
  const certsD = join(folder.path, `certs.d-${lacking ?? 'all'}`);
  const own = join(certsD, registry.host);
  mkdirSync(own, { recursive: true });
  if (registry.ca !== undefined) {
    if (lacking !== 'authority') copyFileSync(registry.caFile, join(own, 'ca.crt'));
    if (lacking !== 'client') {
      copyFileSync(registry.client.cert, join(own, 'client.cert'));
      copyFileSync(registry.client.key, join(own, 'client.key'));
    }
  }
  const { user: username, password } = account;
  const credentials: Credentials = { kind: 'password', username, password };
  return {
    certDirs: [certsD],
    findCredentials: () => Promise.resolve(lacking === 'credentials' ? undefined : credentials),
  };
}
