import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseReference, type QualifiedReference } from '../../../src/oci/reference.js';
import type { ImageIdentity } from '../../../src/transport/image-source.js';
import { parsePolicy } from '../../../src/trust/parse-policy.js';
import { followLinks } from '../../../src/trust/path-scopes.js';
import { findRequirements, listScopes } from '../../../src/trust/scopes.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const named = (text: string): QualifiedReference => parseReference(text) as QualifiedReference;

/** As containers-policy.json(5) has it, "Supported transports and their scopes". */
const rows: readonly (ImageIdentity & { readonly name: string; readonly scopes: string[] })[] = [
  {
    name: 'docker: from the tag to the domain',
    transport: 'docker',
    reference: named('registry.access.example.com/ns/deep/etcd:3.5'),
    scopes: [
      'registry.access.example.com/ns/deep/etcd:3.5',
      'registry.access.example.com/ns/deep/etcd',
      'registry.access.example.com/ns/deep',
      'registry.access.example.com/ns',
      'registry.access.example.com',
      '*.access.example.com',
      '*.example.com',
      '*.com',
    ],
  },
  {
    name: 'docker: a digest, and a port that wildcards do not have',
    transport: 'docker',
    reference: named(`registry.example:5000/etcd@sha256:${'a'.repeat(64)}`),
    scopes: [
      `registry.example:5000/etcd@sha256:${'a'.repeat(64)}`,
      'registry.example:5000/etcd',
      'registry.example:5000',
      '*.example',
    ],
  },
  {
    name: "docker: the hub's images without a namespace",
    transport: 'docker',
    reference: named('docker.io/busybox:latest'),
    scopes: [
      'docker.io/library/busybox:latest',
      'docker.io/library/busybox',
      'docker.io/library',
      'docker.io',
      '*.io',
    ],
  },
  {
    name: 'docker: a host without a dot',
    transport: 'docker',
    reference: named('localhost:5000/a:b'),
    scopes: ['localhost:5000/a:b', 'localhost:5000/a', 'localhost:5000'],
  },
  {
    name: 'docker-daemon: as docker',
    transport: 'docker-daemon',
    reference: named('docker.io/library/a:b'),
    scopes: [
      'docker.io/library/a:b',
      'docker.io/library/a',
      'docker.io/library',
      'docker.io',
      '*.io',
    ],
  },
  { name: 'docker-daemon: an id has none', transport: 'docker-daemon', scopes: [] },
  {
    name: 'oci: the folders above it, the root not among them',
    transport: 'oci',
    path: '/media/usb/images',
    scopes: ['/media/usb/images', '/media/usb', '/media'],
  },
  {
    name: 'oci: an image of a layout',
    transport: 'oci',
    path: '/media/images',
    imageName: 'docker.io/library/etcd:3',
    scopes: ['/media/images:docker.io/library/etcd:3', '/media/images', '/media'],
  },
  { name: 'oci-archive', transport: 'oci-archive', path: '/a/b.tar', scopes: ['/a/b.tar', '/a'] },
  { name: 'dir: the root itself', transport: 'dir', path: '/', scopes: [] },
  {
    name: 'docker-archive has none, whatever its name',
    transport: 'docker-archive',
    path: '/a.tar',
    reference: named('docker.io/library/a:b'),
    scopes: [],
  },
  {
    name: 'ostree: repository and name',
    transport: 'ostree',
    path: '/ostree/repo',
    reference: named('docker.io/library/etcd:3'),
    scopes: [
      '/ostree/repo:docker.io/library/etcd:3',
      '/ostree/repo:docker.io/library/etcd',
      '/ostree/repo:docker.io/library',
      '/ostree/repo:docker.io',
    ],
  },
];

each('scopes', rows, ({ scopes, ...identity }) => {
  assert.deepEqual(listScopes(identity), scopes);
});

const ANYTHING = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];

const policy = parsePolicy(
  Buffer.from(
    JSON.stringify({
      default: REJECT,
      transports: {
        docker: {
          '': REJECT,
          'Registry.Example:5000': ANYTHING,
          'registry.example:5000/ns': REJECT,
          'registry.example:5000/ns/etcd': ANYTHING,
          'registry.example:5000/ns/etcd:bad': REJECT,
          '*.wild.example': ANYTHING,
          'index.docker.io/library': ANYTHING,
          'Registry-1.docker.io/library/etcd:3': REJECT,
        },
        oci: { '/media/usb': ANYTHING, '/media/usb:bad': REJECT },
        dir: { '': ANYTHING },
      },
    }),
  ),
  'policy.json',
);

each(
  'the most specific scope decides',
  [
    { name: 'registry.example:5000/ns/etcd:3.5', scope: 'docker:registry.example:5000/ns/etcd' },
    {
      name: 'registry.example:5000/ns/etcd:bad',
      scope: 'docker:registry.example:5000/ns/etcd:bad',
    },
    // A prefix in letters is none in names.
    { name: 'registry.example:5000/ns/etcd2:3.5', scope: 'docker:registry.example:5000/ns' },
    { name: 'registry.example:5000/nsx/etcd:3.5', scope: 'docker:registry.example:5000' },
    // Another port is another registry.
    { name: 'registry.example/ns/etcd:3.5', scope: 'docker:' },
    { name: 'registry.example:50001/etcd:3.5', scope: 'docker:' },
    { name: 'a.wild.example/etcd:3.5', scope: 'docker:*.wild.example' },
    { name: 'a.b.wild.example:443/etcd:3.5', scope: 'docker:*.wild.example' },
    { name: 'docker.io/library/etcd:2', scope: 'docker:docker.io/library' },
    { name: 'docker.io/library/etcd:3', scope: 'docker:docker.io/library/etcd:3' },
    { name: 'wild.example/etcd:3.5', scope: 'docker:' },
    { name: 'mild.example/etcd:3.5', scope: 'docker:' },
  ],
  ({ name, scope }) => {
    const identity = { transport: 'docker', reference: named(name) } as const;
    assert.equal(findRequirements(policy, identity).scope, scope);
  },
);

test('other transports have scopes of their own, and fall to the default', () => {
  const find = (identity: ImageIdentity): string => findRequirements(policy, identity).scope;
  assert.equal(find({ transport: 'oci', path: '/media/usb/a' }), 'oci:/media/usb');
  assert.equal(find({ transport: 'oci', path: '/media/usb2' }), 'default');
  assert.equal(find({ transport: 'dir', path: '/anywhere' }), 'dir:');
  assert.equal(find({ transport: 'docker-archive', path: '/media/usb/a' }), 'default');
});

test('an image of a layout that is not named may be any of them', () => {
  const types = (imageName?: string): readonly string[] =>
    findRequirements(policy, {
      transport: 'oci',
      path: '/media/usb',
      imageName,
    }).requirements.map(({ type }) => type);
  assert.deepEqual(types('good'), ['insecureAcceptAnything']);
  assert.deepEqual(types('bad'), ['reject']);
  assert.deepEqual(types(), ['insecureAcceptAnything', 'reject']);
});

test('scopes through links mean where these lead, and two that come to one place both hold', async () => {
  using folder = new TempDir();
  const at = (name: string): string => join(realpathSync(folder.path), name);
  mkdirSync(at('real/images'), { recursive: true });
  symlinkSync('real', at('link'));
  const find = async (oci: object, path: string, imageName?: string) => {
    const written = parsePolicy(
      Buffer.from(JSON.stringify({ default: ANYTHING, transports: { oci } })),
      'policy.json',
    );
    const { policy, identity } = await followLinks(written, { transport: 'oci', path, imageName });
    const { scope, requirements } = findRequirements(policy, identity);
    return { scope, types: requirements.map(({ type }) => type) };
  };
  const rejected = { scope: `oci:${at('real/images')}`, types: ['reject'] };
  for (const scope of ['link/images', 'real/images'])
    for (const path of ['link/images', 'real/images'])
      assert.deepEqual(await find({ [at(scope)]: REJECT }, at(path)), rejected);
  const both = { [at('link')]: REJECT, [at('real')]: ANYTHING, '/nonexistent/x': REJECT };
  assert.deepEqual((await find(both, at('real/images'))).types, [
    'reject',
    'insecureAcceptAnything',
  ]);
  const named = { [`${at('link/images')}:bad`]: REJECT };
  assert.deepEqual((await find(named, at('real/images'), 'bad')).types, ['reject']);
  assert.deepEqual((await find(named, at('real/images'), 'good')).types, [
    'insecureAcceptAnything',
  ]);
});
