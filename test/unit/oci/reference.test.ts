import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  effectiveTag,
  formatReference,
  parseReference,
  parseRegistryHost,
  qualifyReference,
} from '../../../src/oci/reference.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';

const sha256 = `sha256:${'a'.repeat(64)}`;

each(
  'parseReference() gives one canonical form',
  [
    { name: 'etcd', want: 'etcd', registry: undefined },
    { name: 'etcd:3.5', want: 'etcd:3.5', registry: undefined },
    { name: 'gscrivano/etcd', want: 'gscrivano/etcd', registry: undefined },
    { name: 'docker.io/etcd', want: 'docker.io/library/etcd', registry: 'docker.io' },
    { name: 'index.docker.io/a/b:1', want: 'docker.io/a/b:1', registry: 'docker.io' },
    { name: 'registry.fedoraproject.org/f29/etcd', registry: 'registry.fedoraproject.org' },
    { name: 'localhost/etcd', registry: 'localhost' },
    { name: 'localhost:5000/etcd:1', registry: 'localhost:5000' },
    { name: 'host:5000/a/b/c', registry: 'host:5000' },
    { name: '127.0.0.1:5000/etcd', registry: '127.0.0.1:5000' },
    { name: '[::1]:5000/etcd', registry: '[::1]:5000' },
    { name: '[2001:db8::1]/etcd:1', registry: '[2001:db8::1]' },
    {
      name: 'Registry.Example.COM/etcd',
      want: 'registry.example.com/etcd',
      registry: 'registry.example.com',
    },
    { name: `etcd@${sha256}`, registry: undefined },
    { name: `quay.io/a/b:tag@${sha256}`, registry: 'quay.io' },
    { name: 'a/b__c/d-e.f', registry: undefined },
    { name: 'a/b---c', registry: undefined },
    // no slash behind it, so this is a repository and a tag
    { name: 'example.com:5000', registry: undefined },
    { name: 'a:_Tag.x-1', registry: undefined },
  ] as { name: string; want?: string; registry: string | undefined }[],
  ({ name, want, registry }) => {
    const reference = parseReference(name);
    assert.equal(formatReference(reference), want ?? name);
    assert.equal(reference.registry, registry);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  },
);

each(
  'parseReference() refuses R58 N14',
  [
    { name: 'nothing', text: '' },
    { name: 'an empty tag', text: 'etcd:' },
    { name: 'an empty digest', text: 'etcd@' },
    { name: 'a repository in capitals', text: 'quay.io/Etcd' },
    { name: 'a host that only its capitals make one', text: 'HOST/etcd' },
    { name: 'a short name in capitals', text: 'Etcd' },
    { name: 'a tag of 129 characters', text: `etcd:${'a'.repeat(129)}` },
    { name: 'a short digest', text: 'etcd@sha256:abcd' },
    { name: 'a digest in capitals', text: `etcd@sha256:${'A'.repeat(64)}` },
    { name: 'an unknown algorithm', text: `etcd@md5:${'a'.repeat(32)}` },
    { name: 'two digests', text: `etcd@${sha256}@${sha256}` },
    { name: 'port 0', text: 'host:0/etcd' },
    { name: 'port 65536', text: 'host:65536/etcd' },
    { name: 'a port with a sign', text: 'host:+80/etcd' },
    { name: 'a user name', text: 'user@host.example/etcd' },
    { name: 'a password', text: 'user:pass@host.example/etcd' },
    { name: 'a trailing dot', text: 'host.example./etcd' },
    { name: 'an empty label', text: 'host..example/etcd' },
    { name: 'an IDN', text: 'bücher.example/etcd' },
    { name: 'an underscore in a host', text: 'my_host.example/etcd' },
    { name: 'half a bracket', text: '[::1/etcd' },
    { name: 'no address in brackets', text: '[::zz]:5000/etcd' },
    { name: 'too many groups in brackets', text: '[1:2:3:4:5:6:7:8:9]/etcd' },
    { name: 'a path upwards', text: 'quay.io/../etcd' },
    { name: 'an empty component', text: 'quay.io//etcd' },
    { name: 'a trailing slash', text: 'quay.io/etcd/' },
    { name: 'a leading slash', text: '/etcd' },
    { name: 'a leading separator', text: 'quay.io/-etcd' },
    { name: 'three underscores', text: 'quay.io/a___b' },
    { name: 'white space', text: 'quay.io/et cd' },
    { name: 'a newline', text: 'etcd\n' },
    { name: 'a NUL', text: 'etcd\0' },
    { name: 'a query', text: 'quay.io/etcd?x=1' },
    { name: 'percent', text: 'quay.io/%2e%2e/etcd' },
    { name: 'an image id', text: 'a'.repeat(64) },
    { name: 'a name of 256 characters', text: `quay.io/${'a'.repeat(248)}` },
    { name: 'a megabyte', text: 'a'.repeat(1_000_000) },
  ],
  async ({ text }) => {
    await assertFails('REFERENCE_INVALID', () => parseReference(text));
  },
);

test('parseReference() accepts what its grammar makes, and gives it back', () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}([._]|__|-{1,3})[a-z0-9]{1,8}$/);
  const host = fc.stringMatching(/^[a-z0-9]{1,10}\.[a-z]{2,5}(:[1-9]\d{0,3})?$/);
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$/);
  fc.assert(
    fc.property(host, fc.array(component, { minLength: 2, maxLength: 4 }), tag, (h, path, t) => {
      const text = `${h}/${path.join('/')}:${t}@${sha256}`;
      assert.equal(formatReference(parseReference(text)), text);
    }),
  );
});

test('parseReference() throws nothing but REFERENCE_INVALID', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      try {
        assert.deepEqual(
          parseReference(formatReference(parseReference(text))),
          parseReference(text),
        );
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'REFERENCE_INVALID');
      }
    }),
  );
});

test('parseReference() shows no password R57', async () => {
  const error = await assertFails('REFERENCE_INVALID', () =>
    parseReference('me:secret@host.example/etcd'),
  );
  assert.match(
    error.message,
    /^'…@host\.example\/etcd' is not an image reference: a registry takes/,
  );
});

test('effectiveTag() is latest only where nothing else is said', () => {
  assert.equal(effectiveTag(parseReference('etcd')), 'latest');
  assert.equal(effectiveTag(parseReference('etcd:1')), '1');
  assert.equal(effectiveTag(parseReference(`etcd@${sha256}`)), undefined);
});

test('qualifyReference() puts short names of the hub below library/', () => {
  const on = (text: string, registry: string) =>
    formatReference(qualifyReference(parseReference(text), registry));
  assert.equal(on('etcd:1', 'docker.io'), 'docker.io/library/etcd:1');
  assert.equal(on('a/etcd', 'docker.io'), 'docker.io/a/etcd');
  assert.equal(on('etcd', 'quay.io'), 'quay.io/etcd');
  assert.equal(on('quay.io/etcd', 'docker.io'), 'quay.io/etcd');
});

test('parseRegistryHost() takes a host and a port, and no more', async () => {
  assert.equal(parseRegistryHost('Host:5000'), 'host:5000');
  for (const text of ['', 'host/a', 'http://host', 'host:', ':5000', 'a b']) {
    await assertFails('REFERENCE_INVALID', () => parseRegistryHost(text));
  }
});
