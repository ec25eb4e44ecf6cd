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

each(
  'resolveReference() takes short-name-mode at its word',
  [
    { name: 'enforcing', lines: 'short-name-mode = "enforcing"', want: undefined },
    { name: 'permissive', lines: 'short-name-mode = "permissive"', want: 2 },
    { name: 'disabled', lines: 'short-name-mode = "disabled"', want: 2 },
    { name: 'none', lines: '', want: 2 },
  ],
  async ({ lines, want }) => {
    const search = 'unqualified-search-registries = ["a.example", "b.example"]';
    const several = parseRegistriesConf(
      `${lines}\n${search}\n[aliases]\netcd = "quay.io/coreos/etcd"`,
      'registries.conf',
    );
    if (want === undefined) {
      const error = await assertFails('REFERENCE_INVALID', () => resolve('flannel', several));
      assert.match(error.hint ?? '', /a\.example\/flannel, b\.example\/flannel/);
    } else {
      assert.equal(resolve('flannel', several).length, want);
    }
    assert.equal(resolve('etcd', several)[0]?.reference, 'quay.io/coreos/etcd');
    assert.equal(resolve('c.example/flannel', several).length, 1);
    // one registry to search leaves nothing open
    const one = parseRegistriesConf(
      `${lines}\nunqualified-search-registries = ["a.example"]`,
      'registries.conf',
    );
    assert.equal(resolve('flannel', one)[0]?.reference, 'a.example/flannel');
  },
);

test('loadRegistriesConf() lets the aliases that podman recorded come first', async () => {
  using folder = new TempDir();
  const path = join(folder.path, 'registries.conf');
  const aliasFile = join(folder.path, 'short-name-aliases.conf');
  mkdirSync(`${path}.d`);
  writeFileSync(path, '[aliases]\netcd = "a.example/etcd"\nflannel = "a.example/flannel"\n');
  writeFileSync(`${path}.d/000-shortnames.conf`, '[aliases]\netcd = "b.example/etcd"\n');
  assert.equal(
    (await loadRegistriesConf(path, { aliasFile })).aliases.get('etcd'),
    'b.example/etcd',
  );
  writeFileSync(
    aliasFile,
    'unqualified-search-registries = ["evil.example"]\n[aliases]\netcd = "c.example/etcd"\n',
  );
  const conf = await loadRegistriesConf(path, { aliasFile });
  assert.equal(conf.aliases.get('etcd'), 'c.example/etcd');
  assert.equal(conf.aliases.get('flannel'), 'a.example/flannel');
  assert.equal(conf.unqualifiedSearch, undefined);
  writeFileSync(path, 'short-name-mode = "disabled"\ncredential-helpers = ["one"]\n');
  writeFileSync(`${path}.d/99.conf`, 'credential-helpers = ["containers-auth.json", "two"]\n');
  const merged = await loadRegistriesConf(path);
  assert.equal(merged.shortNameMode, 'disabled');
  assert.deepEqual(merged.credentialHelpers, ['containers-auth.json', 'two']);
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
    { name: 'an unknown short-name-mode', text: 'short-name-mode = "strict"' },
    { name: 'helpers that are no list', text: 'credential-helpers = "secretservice"' },
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
