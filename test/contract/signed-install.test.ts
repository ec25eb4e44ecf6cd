import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';

import type { TrustRecord } from '../../src/trust/image-trust.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { runCommand, runOk } from '../support/run-command.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { claimOf, SigningKeys } from '../support/signing-keys.js';

/* What is installed was signed, and is known by who signed it; with the policy, the keys and the signatures of the tree. */

const SIGNED = [
  { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/containers/release.gpg' },
];

const keys = new SigningKeys();
const tree = new BerthInTree();
let registry: FakeRegistry;
let fingerprint = '';
let image = '';
let layout = '';

before(async () => {
  registry = await FakeRegistry.start();
  fingerprint = await keys.make('release');
  image = `http:${registry.host}/web:1`;
  for (const folder of ['etc/containers', 'etc/pki/containers'])
    mkdirSync(`${tree.path}/${folder}`, { recursive: true });
  writeFileSync(`${tree.path}/etc/pki/containers/release.gpg`, await keys.export(['release']));
  setPolicy(SIGNED);
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
  tree[Symbol.dispose]();
});

function setPolicy(requirements: readonly unknown[], others: object = {}): void {
  const transports = { docker: { '': requirements }, ...others };
  const policy = { default: [{ type: 'reject' }], transports };
  writeFileSync(`${tree.path}/etc/containers/policy.json`, JSON.stringify(policy));
}

/** Puts an image under the tag and gives its digest. */
async function push(name: string): Promise<string> {
  layout = tree.makeImage(name, [{ path: 'version', content: name }]);
  const { digest } = JSON.parse(
    await tree.runOk('--json', 'copy', '--insecure-policy', layout, image),
  ) as {
    readonly digest: string;
  };
  return digest;
}

async function sign(digest: string): Promise<void> {
  const folder = `${tree.path}/var/lib/containers/sigstore/web@${digest.replace(':', '=')}`;
  mkdirSync(folder, { recursive: true });
  const document = claimOf(digest, `${registry.host}/web:1`);
  writeFileSync(`${folder}/signature-1`, await keys.sign('release', document));
}

const deployed = (number: number): { readonly image: Readonly<Record<string, unknown>> } =>
  JSON.parse(readFileSync(`${tree.path}/var/lib/berth/web.${number}/deployment.json`, 'utf8')) as {
    readonly image: Readonly<Record<string, unknown>>;
  };

test('S28 an image is installed when it is signed, and updated when the next one is, too', async () => {
  const first = await push('v1');
  const refused = await tree.run('install', '--name', 'web', image);
  assert.equal(refused.status, 77, refused.stderr);
  assert.match(refused.stderr, /has no OpenPGP signature/);
  assert.ok(!existsSync(`${tree.path}/var/lib/berth/web`));
  assert.deepEqual(
    registry.blobRequests,
    [],
    'something was fetched of an image that is not taken',
  );

  await sign(first);
  const told = `${fingerprint} as ${registry.host}/web:1 (docker:)`;
  const planned = await tree.runOk('install', '--plan', '--name', 'web', image);
  assert.ok(planned.includes(`signed  ${told}`), planned);
  assert.ok((await tree.runOk('pull', image)).includes(`signed: ${told}`));
  await tree.runOk('install', '--name', 'web', image);
  const signer = { type: 'signedBy', key: fingerprint, identity: `${registry.host}/web:1` };
  const { scope, signatures } = deployed(0).image['trust'] as TrustRecord;
  assert.equal(scope, 'docker:');
  const [{ madeAtMs = 0, ...accepted } = {}] = signatures;
  assert.deepEqual(accepted, signer);
  assert.ok(Math.abs(madeAtMs - Date.now()) < 60_000);
  assert.ok((await tree.runOk('info', 'web')).includes(`Signed:    ${told}`));
  assert.ok((await tree.runOk('status', 'web')).includes(`Signed: ${told}`));

  const second = await push('v2');
  assert.notEqual(second, first);
  const held = await tree.run('update', 'web');
  assert.equal(held.status, 77, held.stderr);
  assert.equal(deployed(0).image['digest'], first);
  assert.ok(!existsSync(`${tree.path}/var/lib/berth/web.1`));
  await sign(second);
  await tree.runOk('update', 'web');
  assert.equal(deployed(1).image['digest'], second);
});

test('S28 an image that nobody signed takes the place of a signed one with consent alone', async () => {
  const signed = await push('v3');
  await sign(signed);
  await tree.runOk('install', '--name', 'once-signed', image);
  const unsigned = await push('v4');
  setPolicy([{ type: 'insecureAcceptAnything' }]);
  const refused = await tree.run('update', 'once-signed');
  assert.equal(refused.status, 77, refused.stderr);
  assert.match(
    refused.stderr,
    /nobody has to have signed, in place of one signed by [0-9A-F]{40} as/,
  );
  await tree.runOk('update', '-y', 'once-signed');
  assert.ok((await tree.runOk('info', 'once-signed')).includes(unsigned));
  // From then on there is nobody to lose.
  await push('v5');
  await tree.runOk('update', 'once-signed');
  setPolicy(SIGNED);
});

test('what is signed for a tree has its signatures there', async () => {
  const digest = await push('signed by berth');
  await tree.runOk('sign', '--sign-by', 'release', '--gnupghome', keys.home, image);
  const folder = `web@${digest.replace(':', '=')}`;
  assert.ok(existsSync(`${tree.path}/var/lib/containers/sigstore/${folder}/signature-1`));
  await tree.runOk('pull', image);
});

test('a signature of a manifest says nothing of the files that an OSTree repository had beside it', async () => {
  const digest = await push('taken over');
  await sign(digest);
  setPolicy(SIGNED, { ostree: { '': [{ type: 'insecureAcceptAnything' }] } });
  const taken = `ostree:${registry.host}/web:1@${tree.path}/media/repo`;
  await tree.runOk('copy', layout, taken);
  assert.ok((await tree.runOk('pull', taken)).includes(digest));
  const before = registry.blobRequests.length;
  await tree.runOk('install', '--name', 'sure', image);
  assert.ok(registry.blobRequests.length > before, 'nobody has hashed the layers');
  setPolicy(SIGNED);
});

test('what the store has is held to the policy of the day, and other transports to theirs', async () => {
  await tree.runOk('install', '--name', 'again', image);
  setPolicy([{ type: 'reject' }]);
  for (const verb of [
    ['install', '--name', 'third', image],
    ['pull', image],
    ['update', 'web'],
    ['install', '--name', 'third', layout],
  ]) {
    const { status, stderr } = await tree.run(...verb);
    assert.equal(status, 77, `${verb.join(' ')}: ${stderr}`);
  }
  // What is installed stays, and goes back without asking anybody.
  await tree.runOk('rollback', 'web');
  writeFileSync(`${tree.path}/etc/containers/policy.json`, '{"default":[]}');
  assert.equal((await tree.run('pull', image)).status, 78);
});

test('what is copied is held to the policy of where it is read', async () => {
  const digest = await push('copied');
  const out = (name: string): string => `oci:${tree.path}/media/${name}:x`;
  mkdirSync(`${tree.path}/media`, { recursive: true });
  // These commands work on no host's tree: what they are held to is that of where they run.
  const registriesD = `${tree.path}/registries.d`;
  mkdirSync(registriesD);
  const lookaside = `file://${tree.path}/var/lib/containers/sigstore`;
  writeFileSync(`${registriesD}/a.yaml`, `default-docker:\n  lookaside: ${lookaside}\n`);
  const ofTree = {
    ...process.env,
    BERTH_POLICY: `${tree.path}/etc/containers/policy.json`,
    BERTH_REGISTRIES_D: registriesD,
  };
  const keyPath = `${tree.path}/etc/pki/containers/release.gpg`;
  setPolicy(SIGNED.map((one) => ({ ...one, keyPath })));
  for (const [args, status] of [
    [['copy', image, out('a')], 77],
    [['copy', '--all', image, out('a')], 77],
    [['copy', layout, out('a')], 77],
    [['push', layout, image.replace('web:1', 'web:2')], 77],
    [['copy', '--insecure-policy', image, `ostree:a/b:c@${tree.path}/media/repo`], 64],
  ] as const) {
    const result = await runCommand(tree.command(...args), { env: ofTree });
    assert.equal(result.status, status, `${args.join(' ')}: ${result.stderr}`);
  }
  assert.deepEqual(
    readdirSync(`${tree.path}/media`).filter((name) => !name.startsWith('repo')),
    [],
  );
  await sign(digest);
  await runOk(tree.command('copy', image, out('a')), { env: ofTree });
  await runOk(tree.command('copy', '--all', image, out('b')), { env: ofTree });
  setPolicy(SIGNED, { oci: { [`${tree.path}/media`]: [{ type: 'insecureAcceptAnything' }] } });
  await runOk(tree.command('copy', out('a'), out('c')), { env: ofTree });
});

test("a key that a link of the tree leads out of it for is not the tree's", async () => {
  setPolicy(SIGNED);
  const digest = await push('elsewhere');
  await sign(digest);
  await tree.runOk('pull', image);
  const key = `${tree.path}/etc/pki/containers/release.gpg`;
  const outside = `${keys.home}/release.gpg`;
  renameSync(key, outside);
  symlinkSync(outside, key);
  const { status, stderr } = await tree.run('pull', image);
  assert.equal(status, 65, stderr);
  assert.match(stderr, /leads out of the tree of '--root'/);
});
