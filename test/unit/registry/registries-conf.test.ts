import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { formatReference, parseReference } from '../../../src/oci/reference.js';
import {
  EMPTY_REGISTRIES_CONF,
  loadRegistriesConf,
  parseRegistriesConf,
} from '../../../src/registry/registries-conf.js';
import { resolveReference, type ForcedScheme } from '../../../src/registry/resolve-endpoints.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const conf = parseRegistriesConf(
  `
unqualified-search-registries = ["registry.fedoraproject.org", "docker.io"]

[aliases]
"etcd" = "quay.io/coreos/etcd"

[[registry]]
prefix = "quay.io/team"
location = "internal.example:5000/mirror/team"

[[registry]]
location = "insecure.example"
insecure = true

[[registry]]
prefix = "blocked.example"
blocked = true

[[registry]]
prefix = "*.wild.example"
location = "one.example/wild"

[[registry]]
prefix = "*.bare.example"
blocked = true

[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.example/hub"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
insecure = true
`,
  'registries.conf',
);

const digest = `sha256:${'a'.repeat(64)}`;

function resolve(name: string, from = conf, forced?: ForcedScheme) {
  return resolveReference(parseReference(name), from, forced).map(({ reference, endpoints }) => ({
    reference: formatReference(reference),
    places: endpoints.map(
      ({ schemes, apiHost, repository, verifyTls }) =>
        `${schemes.join('|')}${verifyTls ? '' : '!'}://${apiHost}/${repository}`,
    ),
  }));
}

each(
  'resolveReference() leads',
  [
    { name: 'quay.io/other/etcd:1', want: ['https://quay.io/other/etcd'] },
    { name: 'quay.io/team/etcd:1', want: ['https://internal.example:5000/mirror/team/etcd'] },
    { name: 'quay.io/teams/etcd:1', want: ['https://quay.io/teams/etcd'] },
    { name: 'insecure.example/etcd', want: ['https|http!://insecure.example/etcd'] },
    { name: 'a.wild.example/etcd', want: ['https://one.example/wild/etcd'] },
    { name: 'wild.example/etcd', want: ['https://wild.example/etcd'] },
    {
      name: 'docker.io/a/etcd:1',
      want: ['https://mirror.example/hub/a/etcd', 'https://registry-1.docker.io/a/etcd'],
    },
    {
      name: `docker.io/library/etcd@${digest}`,
      want: [
        'https://mirror.example/hub/library/etcd',
        'https|http!://digests.example/library/etcd',
        'https://registry-1.docker.io/library/etcd',
      ],
    },
    { name: 'localhost:5000/etcd', want: ['https|http://localhost:5000/etcd'] },
    { name: '127.9.9.9:5000/etcd', want: ['https|http://127.9.9.9:5000/etcd'] },
    { name: '[::1]:5000/etcd', want: ['https|http://[::1]:5000/etcd'] },
    { name: '10.0.0.1:5000/etcd', want: ['https://10.0.0.1:5000/etcd'] },
  ],
  ({ name, want }) => {
    const [meaning, ...others] = resolve(name);
    assert.deepEqual(others, []);
    assert.deepEqual(meaning?.places, want);
  },
);

test('resolveReference() speaks http where the name says so, and only https where that says so', () => {
  assert.deepEqual(resolve('quay.io/a/b', conf, 'http')[0]?.places, ['http://quay.io/a/b']);
  assert.deepEqual(resolve('localhost/a', conf, 'https')[0]?.places, ['https://localhost/a']);
  assert.deepEqual(resolve('insecure.example/a', conf, 'https')[0]?.places, [
    'https://insecure.example/a',
  ]);
});

test('resolveReference() looks for short names where it is told, and on the hub if not', () => {
  assert.deepEqual(
    resolve('flannel:1').map(({ reference }) => reference),
    ['registry.fedoraproject.org/flannel:1', 'docker.io/library/flannel:1'],
  );
  assert.deepEqual(
    resolve('etcd:3').map(({ reference }) => reference),
    ['quay.io/coreos/etcd:3'],
  );
  assert.deepEqual(
    resolve('etcd', EMPTY_REGISTRIES_CONF).map(({ reference }) => reference),
    ['docker.io/library/etcd'],
  );
});

test('resolveReference() refuses what is blocked, and short names that mean nothing', async () => {
  await assertFails('REGISTRY_BLOCKED', () => resolve('blocked.example/etcd'));
  await assertFails('REGISTRY_BLOCKED', () => resolve('x.bare.example/etcd'));
  const none = parseRegistriesConf('unqualified-search-registries = []', 'registries.conf');
  await assertFails('REFERENCE_INVALID', () => resolve('etcd', none));
});

test('parseRegistriesConf() reads version 1, as hosts of 2017 have it', () => {
  const old = parseRegistriesConf(
    `
[registries.search]
registries = ["docker.io", "quay.io"]
[registries.insecure]
registries = ["lab.example:5000"]
[registries.block]
registries = ["evil.example"]
`,
    'registries.conf',
  );
  assert.deepEqual(old.unqualifiedSearch, ['docker.io', 'quay.io']);
  assert.deepEqual(resolve('lab.example:5000/a', old)[0]?.places, [
    'https|http!://lab.example:5000/a',
  ]);
});

each(
  'parseRegistriesConf() refuses',
  [
    { name: 'what is not TOML', text: '[[registry' },
    { name: 'a registry of nothing', text: '[[registry]]\ninsecure = true' },
    { name: 'a location with a scheme', text: '[[registry]]\nlocation = "https://quay.io"' },
    { name: 'a location with a path upwards', text: '[[registry]]\nlocation = "quay.io/%2e%2e"' },
    { name: 'insecure as text', text: '[[registry]]\nlocation = "quay.io"\ninsecure = "yes"' },
    { name: 'a search list of numbers', text: 'unqualified-search-registries = [1]' },
    {
      name: 'a mirror without location',
      text: '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\ninsecure = true',
    },
    {
      name: 'an unknown kind of mirror',
      text: '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "b.example"\npull-from-mirror = "never"',
    },
    { name: 'registry as a table', text: '[registry]\nlocation = "quay.io"' },
  ],
  async ({ text }) => {
    const error = await assertFails('CONFIG_INVALID', () =>
      parseRegistriesConf(text, '/etc/r.conf'),
    );
    assert.match(error.message, /\/etc\/r\.conf/);
  },
);

test('loadRegistriesConf() lets drop-ins replace what stands before them', async () => {
  using folder = new TempDir();
  const path = join(folder.path, 'registries.conf');
  writeFileSync(
    path,
    'unqualified-search-registries = ["a.example"]\n[[registry]]\nlocation = "x.example"\ninsecure = true\n',
  );
  mkdirSync(`${path}.d`);
  writeFileSync(join(`${path}.d`, '10-x.conf'), '[[registry]]\nlocation = "x.example"\n');
  writeFileSync(join(`${path}.d`, '20-y.conf'), '[aliases]\n"n" = "b.example/n"\n');
  writeFileSync(join(`${path}.d`, 'README'), 'not TOML [[');
  const loaded = await loadRegistriesConf(path);
  assert.deepEqual(loaded.unqualifiedSearch, ['a.example']);
  assert.deepEqual(resolve('x.example/a', loaded)[0]?.places, ['https://x.example/a']);
  assert.deepEqual(resolve('n', loaded)[0]?.places, ['https://b.example/n']);
  assert.deepEqual(await loadRegistriesConf(join(folder.path, 'none.conf')), EMPTY_REGISTRIES_CONF);
});
