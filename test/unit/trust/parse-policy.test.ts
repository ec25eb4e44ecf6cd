import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { loadPolicy } from '../../../src/trust/load-policy.js';
import { parsePolicy } from '../../../src/trust/parse-policy.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

const ANYTHING = [{ type: 'insecureAcceptAnything' }];
const SIGNED = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/a.gpg' };
const FULCIO = { caPath: '/etc/ca.pem', oidcIssuer: 'https://id.example', subjectEmail: 'a@b.c' };
const SIGSTORE = { type: 'sigstoreSigned', keyPath: '/etc/pki/a.pub' };

const parse = (value: unknown): ReturnType<typeof parsePolicy> =>
  parsePolicy(Buffer.from(JSON.stringify(value)), '/etc/containers/policy.json');

const withRequirement = (requirement: unknown): unknown => ({ default: [requirement] });

test('reads a policy of every kind of requirement', () => {
  const keyData = Buffer.from('some key').toString('base64');
  const policy = parse({
    default: [{ type: 'reject' }],
    transports: {
      docker: {
        'registry.example': [
          { ...SIGNED, signedIdentity: { type: 'matchRepository' } },
          { type: 'signedBy', keyType: 'GPGKeys', keyPaths: ['/a', '/b'] },
          {
            ...{ type: 'signedBy', keyType: 'GPGKeys', keyData },
            signedIdentity: { type: 'exactReference', dockerReference: 'busybox:1' },
          },
        ],
        'registry.example/b': [
          { type: 'sigstoreSigned', keyDatas: [keyData, keyData] },
          {
            ...SIGSTORE,
            signedIdentity: { type: 'remapIdentity', prefix: 'a.example:5/x', signedPrefix: 'b' },
          },
        ],
      },
      'docker-archive': { '': ANYTHING },
      'unheard-of': { 'any/thing': ANYTHING },
    },
  });
  assert.deepEqual(policy.default, [{ type: 'reject' }]);
  const docker = policy.transports.get('docker');
  assert.deepEqual(docker?.get('registry.example'), [
    {
      type: 'signedBy',
      signer: { kind: 'keys', keys: { kind: 'files', paths: ['/etc/pki/a.gpg'] } },
      signedIdentity: { type: 'matchRepository' },
    },
    {
      type: 'signedBy',
      signer: { kind: 'keys', keys: { kind: 'files', paths: ['/a', '/b'] } },
      signedIdentity: { type: 'matchRepoDigestOrExact' },
    },
    {
      type: 'signedBy',
      signer: { kind: 'keys', keys: { kind: 'data', data: [Buffer.from('some key')] } },
      signedIdentity: {
        type: 'exactReference',
        reference: {
          registry: 'docker.io',
          repository: 'library/busybox',
          tag: '1',
          digest: undefined,
        },
      },
    },
  ]);
  assert.deepEqual(docker.get('registry.example/b')?.[1], {
    type: 'sigstoreSigned',
    signer: { kind: 'keys', keys: { kind: 'files', paths: ['/etc/pki/a.pub'] } },
    signedIdentity: { type: 'remapIdentity', prefix: 'a.example:5/x', signedPrefix: 'b' },
  });
});

each(
  'a policy that is not understood is refused',
  [
    { name: 'no default', policy: { transports: {} }, says: /'default' is missing/ },
    { name: 'an empty list', policy: { default: [] }, says: /'default' is an empty list/ },
    { name: 'a list of nothing', policy: { default: [null] }, says: /'default\[0\]' is not an/ },
    { name: 'an unknown member', policy: { default: ANYTHING, x: 1 }, says: /'x' is unknown/ },
    {
      name: 'capitals',
      policy: { Default: [{ type: 'reject' }], default: ANYTHING },
      says: /'Default' is unknown/,
    },
    {
      name: 'null transports',
      policy: { default: ANYTHING, transports: null },
      says: /'transports'/,
    },
    {
      name: 'an unknown type',
      policy: withRequirement({ type: 'accept' }),
      says: /'default\[0\].type' is 'accept'/,
    },
    { name: 'no type', policy: withRequirement({}), says: /type' is missing/ },
    {
      name: 'an unknown member of a requirement',
      policy: withRequirement({ type: 'insecureAcceptAnything', unless: 'unsigned' }),
      says: /'default\[0\].unless' is unknown/,
    },
    {
      name: 'no key',
      policy: withRequirement({ type: 'signedBy', keyType: 'GPGKeys' }),
      says: /names no key/,
    },
    {
      name: 'two kinds of keys',
      policy: withRequirement({ ...SIGNED, keyPaths: ['/b'] }),
      says: /has keyPath and keyPaths/,
    },
    {
      name: 'no keys',
      policy: withRequirement({ ...SIGNED, keyPath: undefined, keyPaths: [] }),
      says: /keyPaths' is an empty/,
    },
    {
      name: 'a relative path',
      policy: withRequirement({ ...SIGNED, keyPath: 'a' }),
      says: /absolute/,
    },
    {
      name: 'null as path',
      policy: withRequirement({ ...SIGNED, keyPath: null }),
      says: /not text/,
    },
    {
      name: 'damaged data',
      policy: withRequirement({ ...SIGNED, keyPath: undefined, keyData: '§' }),
      says: /base64/,
    },
    {
      name: 'X.509',
      policy: withRequirement({ ...SIGNED, keyType: 'X509' }),
      says: /GPGKeys/,
    },
    {
      name: 'keyDatas of gpg',
      policy: withRequirement({ ...SIGNED, keyPath: undefined, keyDatas: ['YQ=='] }),
      says: /unknown/,
    },
    {
      name: 'a key and fulcio',
      policy: withRequirement({ ...SIGSTORE, fulcio: FULCIO }),
      says: /has keyPath and fulcio/,
    },
    {
      name: 'fulcio without a log',
      policy: withRequirement({ type: 'sigstoreSigned', fulcio: FULCIO }),
      says: /has fulcio and none of rekorPublicKeyPath/,
    },
    {
      name: 'fulcio without an authority',
      policy: withRequirement({
        type: 'sigstoreSigned',
        rekorPublicKeyPath: '/a',
        fulcio: { ...FULCIO, caPath: undefined },
      }),
      says: /fulcio' names no authority/,
    },
    {
      name: 'fulcio of anybody',
      policy: withRequirement({
        type: 'sigstoreSigned',
        rekorPublicKeyPath: '/a',
        fulcio: { ...FULCIO, subjectEmail: undefined },
      }),
      says: /subjectEmail' is missing/,
    },
    {
      name: 'certificates of anybody',
      policy: withRequirement({ type: 'sigstoreSigned', pki: { caRootsPath: '/a' } }),
      says: /whose signature/,
    },
    {
      name: 'fulcio of an empty address',
      policy: withRequirement({
        type: 'sigstoreSigned',
        rekorPublicKeyPath: '/a',
        fulcio: { ...FULCIO, subjectEmail: '' },
      }),
      says: /subjectEmail' is empty/,
    },
    {
      name: 'certificates and a log',
      policy: withRequirement({
        type: 'sigstoreSigned',
        rekorPublicKeyPath: '/a',
        pki: { caRootsPath: '/a', subjectEmail: 'a@b.example' },
      }),
      says: /not for each other/,
    },
    {
      name: 'certificates of an address of the network',
      policy: withRequirement({
        type: 'sigstoreSigned',
        pki: { caRootsPath: '/a', subjectHostname: '[::1]' },
      }),
      says: /subjectHostname' is an address/,
    },
    {
      name: 'two kinds of keys of a log',
      policy: withRequirement({
        ...SIGSTORE,
        rekorPublicKeyPath: '/a',
        rekorPublicKeyData: 'YQ==',
      }),
      says: /has rekorPublicKeyPath and rekorPublicKeyData/,
    },
    {
      name: 'a log for OpenPGP',
      policy: withRequirement({ ...SIGNED, rekorPublicKeyPath: '/a' }),
      says: /rekorPublicKeyPath' is unknown/,
    },
    {
      name: 'an unknown identity',
      policy: withRequirement({ ...SIGNED, signedIdentity: { type: 'matchAll' } }),
      says: /signedIdentity.type' is 'matchAll'/,
    },
    {
      name: 'an exact reference without a tag',
      policy: withRequirement({
        ...SIGNED,
        signedIdentity: { type: 'exactReference', dockerReference: 'a.example/b' },
      }),
      says: /neither tag nor digest/,
    },
    {
      name: 'a prefix with a tag',
      policy: withRequirement({
        ...SIGNED,
        signedIdentity: { type: 'remapIdentity', prefix: 'a.example/b:1', signedPrefix: 'c' },
      }),
      says: /prefix' is not HOST/,
    },
    ...[
      ['dir', 'relative', /absolute/],
      ['oci', '/', /stands for all/],
      ['oci', '/a/../b', /plain path/],
      ['oci-archive', '/a/', /plain path/],
      ['docker-archive', '/a', /none but the empty one/],
      ['docker', 'ex*mple.com', /neither HOST/],
      ['docker', '*.*.com', /neither HOST/],
      ['docker', 'a.example/', /neither HOST/],
      ['docker', 'etcd', /names no registry/],
      ['docker', 'etcd:3.5', /names no registry/],
      ['docker', 'docker.io/etcd:3.5', /docker\.io\/library/],
      ['docker', `index.docker.io/etcd@sha256:${'a'.repeat(64)}`, /docker\.io\/library/],
      ['docker', 'vendor/etcd', /names no registry/],
      ['docker-daemon', 'vendor/etcd', /names no registry/],
    ].map(([transport, scope, says]) => ({
      name: `scope ${String(scope)} of ${String(transport)}`,
      policy: {
        default: ANYTHING,
        transports: { [String(transport)]: { [String(scope)]: ANYTHING } },
      },
      says: says as RegExp,
    })),
    {
      name: 'the hub twice by two names',
      policy: {
        default: ANYTHING,
        transports: { docker: { 'docker.io/x': ANYTHING, 'index.docker.io/x': ANYTHING } },
      },
      says: /stands there twice/,
    },
    {
      name: 'a scope twice in other capitals',
      policy: {
        default: ANYTHING,
        transports: { docker: { 'A.example': ANYTHING, 'a.example': [{ type: 'reject' }] } },
      },
      says: /stands there twice/,
    },
  ],
  async ({ policy, says }) => {
    const error = await assertFails('CONFIG_INVALID', () => parse(policy));
    assert.match(error.message, says);
    assert.match(error.message, /^\/etc\/containers\/policy\.json/);
    assert.ok(!error.message.includes('\n'));
  },
);

test('scopes that name a registry, however it is written, are taken', () => {
  for (const scope of [
    'host:5000/ns',
    'host:5000',
    'localhost/x',
    '[::1]/x',
    '[::1]:5000',
    '*.com',
  ])
    parse({ default: ANYTHING, transports: { docker: { [scope]: ANYTHING } } });
});

each(
  'a policy that is no JSON of its own is refused',
  [
    { name: 'nothing', text: '' },
    {
      name: 'a key twice',
      text: '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
    },
    { name: 'a comment', text: '{"default":[{"type":"reject"}]} // reject' },
    { name: 'depth', text: '['.repeat(100_000) },
  ],
  async ({ text }) => {
    await assertFails('CONFIG_INVALID', () => parsePolicy(Buffer.from(text), 'policy.json'));
  },
);

test('S12 a policy that is away is none; one that cannot be relied on is refused', async () => {
  using folder = new TempDir();
  const path = join(folder.path, 'policy.json');
  assert.equal(
    (await loadPolicy({ path, isNamed: false })).default[0]?.type,
    'insecureAcceptAnything',
  );
  await assertFails('CONFIG_INVALID', () => loadPolicy({ path, isNamed: true }));

  writeFileSync(path, '{"default":[{"type":"reject"}]}');
  assert.equal((await loadPolicy({ path, isNamed: false })).default[0]?.type, 'reject');
  chmodSync(path, 0o666);
  const open = await assertFails('CONFIG_INVALID', () => loadPolicy({ path, isNamed: false }));
  assert.match(open.message, /written by others/);

  const link = join(folder.path, 'link.json');
  chmodSync(path, 0o644);
  symlinkSync(path, link);
  await assertFails('CONFIG_INVALID', () => loadPolicy({ path: link, isNamed: false }));
  assert.equal((await loadPolicy({ path: link, isNamed: true })).default[0]?.type, 'reject');
  const dangling = join(folder.path, 'dangling.json');
  symlinkSync('/nonexistent', dangling);
  await assertFails('CONFIG_INVALID', () => loadPolicy({ path: dangling, isNamed: false }));

  const folderInPlace = join(folder.path, 'folder.json');
  mkdirSync(folderInPlace);
  const unfit = await assertFails('CONFIG_INVALID', () =>
    loadPolicy({ path: folderInPlace, isNamed: false }),
  );
  assert.match(unfit.message, /folder\.json' is not a regular file/);
  writeFileSync(path, ' '.repeat(2 * 1024 * 1024));
  const large = await assertFails('CONFIG_INVALID', () => loadPolicy({ path, isNamed: false }));
  assert.match(large.message, /policy\.json' is larger than/);
});

test('S12 a policy whose folder is not there is none; one whose folder cannot be reached is refused', async () => {
  using folder = new TempDir();
  const at = (name: string): string => join(folder.path, name);
  const load = async (path: string): Promise<unknown> =>
    (await loadPolicy({ path, isNamed: false })).default[0]?.type;
  assert.equal(await load(at('none/containers/policy.json')), 'insecureAcceptAnything');
  mkdirSync(at('real'));
  symlinkSync('real', at('linked'));
  assert.equal(await load(at('linked/policy.json')), 'insecureAcceptAnything');
  symlinkSync('/nonexistent', at('lost'));
  for (const path of ['lost/policy.json', 'lost/containers/policy.json']) {
    const { message } = await assertFails('CONFIG_INVALID', () => load(at(path)));
    assert.match(message, /lost' leads nowhere/);
  }
  writeFileSync(at('file'), '');
  await assertFails('CONFIG_INVALID', () => load(at('file/policy.json')));
});
