import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  createCredentialFinder,
  listAuthFiles,
  parseAuthFile,
} from '../../../src/registry/auth-files.js';
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
    'helper.example': {},
    'registry.example:5000': { auth: auth('port:6') },
  },
  credsStore: 'desktop',
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
    {
      name: 'not where a helper has them',
      registry: 'helper.example',
      repository: 'a',
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
  assert.deepEqual(parseAuthFile(file, 'auth.json').get('azure.example'), {
    kind: 'refresh-token',
    token: 'refresh',
  });
});

test('a password may hold a colon, spaces and letters of any script', () => {
  const bytes = bytesOf({ auths: { a: { auth: auth('me:a: ü') } } });
  assert.deepEqual(parseAuthFile(bytes, 'auth.json').get('a'), {
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
