import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { makeSigstoreKey, pushAttachments, signSigstore } from '../support/sigstore-attachments.js';
import { claimOf, SigningKeys } from '../support/signing-keys.js';

/*
 * HOSTILE.md, B.9: an image that was signed long ago, handed out again under the same name, and a registry that stands still. A naive
 * update goes by the signature alone, which is as good as ever: pulling such an image, which compares it with nothing, does.
 */

const keys = new SigningKeys();
const tree = new BerthInTree();
let registry: FakeRegistry;
let image = '';
const layouts = new Map<string, string>();

const at = (path: string): string => `${tree.path}/${path}`;
const deployed = (): { readonly digest: string } =>
  (
    JSON.parse(readFileSync(at('var/lib/berth/web/deployment.json'), 'utf8')) as {
      readonly image: { readonly digest: string };
    }
  ).image;

before(async () => {
  registry = await FakeRegistry.start();
  image = `http:${registry.host}/web:1`;
  await keys.make('release', ['--faked-system-time', '20200101T000000!']);
  for (const folder of ['etc/containers', 'etc/berth', 'etc/pki'])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('etc/pki/release.gpg'), await keys.export(['release']));
  setPolicy({ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/etc/pki/release.gpg' });
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
  tree[Symbol.dispose]();
});

function setPolicy(requirement: object): void {
  const policy = { default: [{ type: 'reject' }], transports: { docker: { '': [requirement] } } };
  writeFileSync(at('etc/containers/policy.json'), JSON.stringify(policy));
}

/** Puts a version under the tag, whatever was there. */
async function publish(version: string): Promise<string> {
  const layout =
    layouts.get(version) ?? tree.makeImage(version, [{ path: 'version', content: version }]);
  layouts.set(version, layout);
  const { digest } = JSON.parse(
    await tree.runOk('--json', 'copy', '--insecure-policy', layout, image),
  ) as {
    readonly digest: string;
  };
  return digest;
}

async function sign(digest: string, time: string): Promise<void> {
  const folder = at(`var/lib/containers/sigstore/web@${digest.replace(':', '=')}`);
  mkdirSync(folder, { recursive: true });
  const options = ['--faked-system-time', `${time}!`];
  const signature = await keys.sign('release', claimOf(digest, `${registry.host}/web:1`), {
    options,
  });
  writeFileSync(`${folder}/signature-${readdirSync(folder).length + 1}`, signature);
}

test('S23 an update does not fall behind what was signed later, unless that is allowed', async () => {
  const old = await publish('old');
  await sign(old, '20210101T000000');
  await tree.runOk('install', '--name', 'web', image);
  const fresh = await publish('fresh');
  await sign(fresh, '20230101T000000');
  await tree.runOk('update', 'web');
  assert.equal(deployed().digest, fresh);
  await tree.runOk('images', 'prune', '--all');

  // The attack: the registry hands out the old one, whose signature is as good as ever.
  assert.equal(await publish('old'), old);
  await tree.runOk('pull', image);
  const blobs = registry.blobRequests.length;
  const refused = await tree.run('update', 'web');
  assert.equal(refused.status, 77, refused.stderr);
  assert.match(refused.stderr, /older image than was installed: it was signed at 2021.*2023/);
  assert.match(refused.stderr, /--allow-downgrade/);
  assert.equal((await tree.run('update', '--plan', 'web')).status, 77);
  assert.equal((await tree.run('update', '--all')).status, 77);
  assert.equal(deployed().digest, fresh);
  // Of what is refused nothing but its documents was asked for.
  assert.ok(
    registry.blobRequests.length <= blobs + 3,
    String(registry.blobRequests.length - blobs),
  );

  // Going back here asks nobody, and what was seen is not forgotten with it.
  await tree.runOk('rollback', 'web');
  assert.equal(deployed().digest, old);
  const between = await publish('between');
  await sign(between, '20220101T000000');
  assert.equal((await tree.run('update', 'web')).status, 77);

  // What is signed again is meant.
  await sign(between, '20240101T000000');
  await tree.runOk('update', 'web');
  assert.equal(deployed().digest, between);

  // S25: the way out, which counts from then on.
  const rescue = await publish('rescue');
  await sign(rescue, '20200601T000000');
  assert.equal((await tree.run('update', 'web')).status, 77);
  await tree.runOk('update', '--allow-downgrade', 'web');
  assert.equal(deployed().digest, rescue);
  const next = await publish('next');
  await sign(next, '20200701T000000');
  await tree.runOk('update', 'web');
  assert.equal(deployed().digest, next);
});

test('S24 what was signed long ago is told of, also where nothing is new', async () => {
  const quiet = await tree.run('update', 'web');
  assert.doesNotMatch(quiet.stderr, /max-age/);
  writeFileSync(at('etc/berth/berth.conf'), '[trust]\nmax-age = "90d"\n');
  const told = await tree.run('update', 'web');
  assert.equal(told.status, 0, told.stderr);
  assert.match(told.stderr, /was signed \d{4} days ago, longer than max-age/);
  assert.match((await tree.run('pull', image)).stderr, /longer than max-age/);
  writeFileSync(at('etc/berth/berth.conf'), '[trust]\nmax-age = "36500d"\n');
  assert.equal((await tree.run('update', 'web')).status, 78);
  rmSync(at('etc/berth/berth.conf'));
});

test('S02 S05 what was verified is verified again by what was kept of it, and nobody is asked', async () => {
  const key = makeSigstoreKey();
  writeFileSync(at('etc/pki/key.pub'), key.publicKey);
  mkdirSync(at('etc/containers/registries.d'));
  writeFileSync(
    at('etc/containers/registries.d/a.yaml'),
    'default-docker:\n  use-sigstore-attachments: true\n',
  );
  const requirement = {
    type: 'sigstoreSigned',
    keyPath: '/etc/pki/key.pub',
    signedIdentity: { type: 'matchRepository' },
  };
  setPolicy(requirement);
  const digest = await publish('kept');
  const type = 'cosign container image signature';
  const document = claimOf(digest, `${registry.host}/web`, { type, optional: null });
  await pushAttachments({ origin: registry.origin, repository: 'web' }, digest, [
    { document, signature: signSigstore(key, document) },
  ]);
  await tree.runOk('pull', image);
  const file = at(`var/lib/berth/.store/signatures/${digest.replace(':', '-')}.json`);
  const kept = readFileSync(file, 'utf8');

  using away = registryAway();
  assert.ok(away);
  await tree.runOk('install', '--name', 'offline', image);
  assert.match(await tree.runOk('info', 'offline'), /Signed: +sha256:/);

  const refused = async (): Promise<void> => {
    const { status, stderr } = await tree.run('install', '--name', 'again', image);
    assert.equal(status, 75, stderr);
    assert.ok(!existsSync(at('var/lib/berth/again')));
  };
  // Keys of today: the old one is not among them any more.
  setPolicy({
    ...requirement,
    keyPath: undefined,
    keyData: Buffer.from(makeSigstoreKey().publicKey).toString('base64'),
  });
  await refused();
  setPolicy(requirement);
  // What was kept is believed no more than what comes from elsewhere.
  writeFileSync(file, kept.replace(/"payload":"[^"]{8}/, '"payload":"AAAAAAAA'));
  await refused();
  for (const damaged of ['', '{', '{"format":2}', '{"format":1,"signatures":[{"kind":"x"}]}']) {
    writeFileSync(file, damaged);
    await refused();
  }
  writeFileSync(file, kept);
  await tree.runOk('install', '--name', 'again', image);
  // It goes with its image.
  for (const name of ['offline', 'again']) await tree.runOk('uninstall', name);
  await tree.runOk('images', 'prune', '--all');
  assert.ok(!existsSync(file));
});

/** The registry answers with an error to whatever it is asked. */
function registryAway(): Disposable {
  let isAway = true;
  registry.interfere((_, response) => {
    if (!isAway) return false;
    response.writeHead(403).end(); // nothing is tried again
    return true;
  });
  return {
    [Symbol.dispose]: () => {
      isAway = false;
    },
  };
}
