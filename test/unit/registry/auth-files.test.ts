import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  createCredentialFinder,
  listAuthFiles,
  parseAuthFile,
} from '../../../src/registry/auth-files.js';
import {
  askCredentialHelper,
  tellCredentialHelper,
} from '../../../src/registry/credential-helper.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const auth = (pair: string) => Buffer.from(pair).toString('base64');
const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document));

const file = bytesOf({
  auths: {
    'quay.io': { auth: auth('host:1') },
    'quay.io/team': { auth: auth('team:2') },
    'quay.io/team/etcd': { auth: auth('repository:3') },
    'https://index.docker.io/v1/': { auth: auth('hub:4') },
    'https://ghcr.io': { auth: auth('url:5') },
    'azure.example': { identitytoken: 'refresh', auth: auth('00000000:ignored') },
    'registry.example:5000': { auth: auth('port:6') },
  },
});

each(
  'credentials are found',
  [
    {
      name: 'for the repository',
      registry: 'quay.io',
      repository: 'team/etcd',
      want: 'repository',
    },
    { name: 'for its namespace', registry: 'quay.io', repository: 'team/other', want: 'team' },
    { name: 'for its registry', registry: 'quay.io', repository: 'teams/etcd', want: 'host' },
    {
      name: 'for the hub as docker writes it',
      registry: 'docker.io',
      repository: 'library/etcd',
      want: 'hub',
    },
    { name: 'for a registry written as URL', registry: 'ghcr.io', repository: 'a/b', want: 'url' },
    {
      name: 'for a registry with port',
      registry: 'registry.example:5000',
      repository: 'a',
      want: 'port',
    },
    {
      name: 'R23 not for another port',
      registry: 'registry.example',
      repository: 'a',
      want: undefined,
    },
    {
      name: 'R23 not for a host below',
      registry: 'sub.quay.io',
      repository: 'team/etcd',
      want: undefined,
    },
    { name: 'R23 not for a host above', registry: 'io', repository: 'team/etcd', want: undefined },
    {
      name: 'R23 not for a host that begins so',
      registry: 'quay.io.evil.example',
      repository: 'a',
      want: undefined,
    },
    {
      name: "R23 not the hub's for others",
      registry: 'evil.example',
      repository: 'library/etcd',
      want: undefined,
    },
  ],
  async ({ registry, repository, want }) => {
    using folder = new TempDir();
    const path = join(folder.path, 'auth.json');
    writeFileSync(path, file);
    const find = createCredentialFinder([join(folder.path, 'none.json'), path]);
    const found = await find({ registry, repository });
    assert.equal(found?.kind === 'password' ? found.username : undefined, want);
  },
);

test('a refresh token goes before the password beside it', () => {
  assert.deepEqual(parseAuthFile(file, 'auth.json').entries.get('azure.example'), {
    kind: 'refresh-token',
    token: 'refresh',
  });
});

test('a password may hold a colon, spaces and letters of any script', () => {
  const bytes = bytesOf({ auths: { a: { auth: auth('me:a: ü') } } });
  assert.deepEqual(parseAuthFile(bytes, 'auth.json').entries.get('a'), {
    kind: 'password',
    username: 'me',
    password: 'a: ü',
  });
});

test('the first file with an entry decides', async () => {
  using folder = new TempDir();
  const paths = ['first', 'second'].map((name) => {
    const path = join(folder.path, name);
    writeFileSync(path, bytesOf({ auths: { 'quay.io': { auth: auth(`${name}:x`) } } }));
    return path;
  });
  const found = await createCredentialFinder(paths)({ registry: 'quay.io', repository: 'a' });
  assert.equal(found?.kind === 'password' && found.username, 'first');
});

each(
  'parseAuthFile() refuses, and quotes nothing of it',
  [
    { name: 'what is not JSON', text: '{"auths": {"a": {"auth": "c2VjcmV0OnNlY3JldA=="' },
    { name: 'a key twice', text: '{"auths":{"secret":{}, "secret":{}}}' },
    { name: 'auth without a colon', text: `{"auths":{"a":{"auth":"${auth('secret')}"}}}` },
    { name: 'auth with a newline', text: `{"auths":{"a":{"auth":"${auth('secret:a\nb')}"}}}` },
  ],
  async ({ text }) => {
    const error = await assertFails('CONFIG_INVALID', () =>
      parseAuthFile(Buffer.from(text), '/auth.json'),
    );
    const shown = `${error.message} ${String(error.cause)}`;
    assert.doesNotMatch(shown, /secret|c2VjcmV0/, 'a secret stands in an error');
    assert.match(shown, /\/auth\.json/);
  },
);

test('listAuthFiles() knows the places of the ecosystem', () => {
  assert.deepEqual(listAuthFiles({ env: { HOME: '/root' }, uid: 0 }), [
    '/run/containers/0/auth.json',
    '/root/.config/containers/auth.json',
    '/root/.docker/config.json',
  ]);
  const env = {
    HOME: '/h',
    XDG_RUNTIME_DIR: '/run/user/7',
    XDG_CONFIG_HOME: '/c',
    DOCKER_CONFIG: '/d',
  };
  assert.deepEqual(listAuthFiles({ env, uid: 7 }), [
    '/run/user/7/containers/auth.json',
    '/c/containers/auth.json',
    '/d/config.json',
  ]);
  assert.deepEqual(listAuthFiles({ env: { ...env, REGISTRY_AUTH_FILE: '/x' }, uid: 7 }), ['/x']);
});

/** Helpers are found on a search path that the test makes. */
function writeHelper(folder: string, script: string): Readonly<Record<string, string>> {
  writeFileSync(join(folder, 'docker-credential-test'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:/usr/bin:/bin` };
}

function writeConfig(folder: string, document: unknown): string {
  const path = join(folder, 'config.json');
  writeFileSync(path, bytesOf(document));
  return path;
}

test('a credential helper is asked for the registry that it is named for, and for the store where docker points to it', async () => {
  using folder = new TempDir();
  const env = writeHelper(
    folder.path,
    'read -r server; printf \'{"ServerURL":"%s","Username":"%s","Secret":"s"}\' "$server" "$1-$server"',
  );
  const path = writeConfig(folder.path, {
    auths: { 'stored.example': {}, 'https://index.docker.io/v1/': {} },
    credHelpers: { 'named.example': 'test' },
    credsStore: 'test',
  });
  const find = createCredentialFinder([path], { helperEnv: env });
  const userOf = async (registry: string) => {
    const found = await find({ registry, repository: 'a' });
    return found?.kind === 'password' ? found.username : undefined;
  };
  assert.equal(await userOf('named.example'), 'get-named.example');
  assert.equal(await userOf('stored.example'), 'get-stored.example');
  assert.equal(await userOf('docker.io'), 'get-https://index.docker.io/v1/');
  // a registry that nobody logged in to must not fail because a desktop's helper is not there
  assert.equal(await userOf('other.example'), undefined);
});

test('a credential helper may give a refresh token, and may have nothing', async () => {
  using folder = new TempDir();
  const config = { credHelpers: { 'a.example': 'test' } };
  const token = writeHelper(folder.path, 'printf \'{"Username":"<token>","Secret":"refresh"}\'');
  const path = writeConfig(folder.path, config);
  const target = { registry: 'a.example', repository: 'x' };
  assert.deepEqual(await createCredentialFinder([path], { helperEnv: token })(target), {
    kind: 'refresh-token',
    token: 'refresh',
  });
  const none = writeHelper(folder.path, 'echo "credentials not found in native keychain"; exit 1');
  assert.equal(await createCredentialFinder([path], { helperEnv: none })(target), undefined);
});

each(
  'a credential helper is refused, and what it said is not shown,',
  [
    { name: 'that is not installed', script: undefined, code: 'PROGRAM_MISSING' },
    { name: 'that fails', script: 'exit 2', code: 'PROGRAM_FAILED' },
    { name: 'that says no JSON', script: 'echo secret', code: 'REGISTRY_UNAUTHORIZED' },
    {
      name: 'that gives no name',
      script: 'echo \'{"Secret":"secret"}\'',
      code: 'REGISTRY_UNAUTHORIZED',
    },
    {
      name: 'that breaks the line',
      script: 'echo \'{"Username":"a","Secret":"secret\\r\\nX: y"}\'',
      code: 'REGISTRY_UNAUTHORIZED',
    },
    { name: 'that says a MiB', script: 'head -c 1000000 /dev/zero', code: 'PROGRAM_FAILED' },
  ] as const,
  async ({ script, code }) => {
    using folder = new TempDir();
    const path = writeConfig(folder.path, { credHelpers: { 'a.example': 'test' } });
    const env = script === undefined ? { PATH: '/nowhere' } : writeHelper(folder.path, script);
    const find = createCredentialFinder([path], { helperEnv: env });
    const error = await assertFails(code, () => find({ registry: 'a.example', repository: 'x' }));
    assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
  },
);

test('credential-helpers of registries.conf are asked in their order, the files where they are named', async () => {
  using folder = new TempDir();
  const helperEnv = writeHelper(
    folder.path,
    'read -r server; test "$server" = known.example || exit 1; printf \'{"Username":"helper","Secret":"s"}\'',
  );
  const path = writeConfig(folder.path, {
    auths: {
      'known.example': { auth: auth('file:x') },
      'other.example': { auth: auth('file:x') },
    },
  });
  const userOf = async (registry: string, helpers: readonly string[]) => {
    const find = createCredentialFinder([path], { helperEnv, helpers });
    const found = await find({ registry, repository: 'a' });
    return found?.kind === 'password' ? found.username : undefined;
  };
  const files = 'containers-auth.json';
  assert.equal(await userOf('known.example', ['test', files]), 'helper');
  assert.equal(await userOf('known.example', [files, 'test']), 'file');
  assert.equal(await userOf('other.example', ['test', files]), 'file');
  assert.equal(await userOf('other.example', ['test']), undefined);
});

test('a credential helper is a name, never a path', async () => {
  using folder = new TempDir();
  const path = writeConfig(folder.path, { credHelpers: { 'a.example': '../../../bin/sh' } });
  await assertFails('CONFIG_INVALID', () =>
    createCredentialFinder([path])({ registry: 'a.example', repository: 'x' }),
  );
});

each(
  'a credential helper that hangs is left, whatever it does with signals,',
  [
    { name: 'when it is asked', verb: 'get', script: 'exec sleep 60' },
    { name: 'when it is asked and deaf', verb: 'get', script: "trap '' TERM; while :; do :; done" },
    { name: 'when it is told', verb: 'store', script: 'exec sleep 60' },
    { name: 'when it is to forget', verb: 'erase', script: 'exec sleep 60' },
  ] as const,
  async ({ verb, script }) => {
    using folder = new TempDir();
    const options = { env: writeHelper(folder.path, script), timeoutMs: 200 };
    const credentials = { kind: 'password', username: 'me', password: 'secret' } as const;
    const registry = 'a.example';
    const error = await assertFails('REGISTRY_UNAUTHORIZED', async () => {
      if (verb === 'get') await askCredentialHelper('test', registry, options);
      else if (verb === 'erase') await tellCredentialHelper('test', { verb, registry }, options);
      else await tellCredentialHelper('test', { verb, registry, credentials }, options);
    });
    assert.match(error.message, /did not answer within 200 milliseconds/);
  },
);
