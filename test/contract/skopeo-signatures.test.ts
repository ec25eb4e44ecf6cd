import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { RegistryClient } from '../../src/registry/registry-client.js';
import { PolicyTrust } from '../../src/trust/image-trust.js';
import { assertFails } from '../support/assert-fails.js';
import { Puller } from '../support/pull-from.js';
import { startRegistry, type RealRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { SigningKeys } from '../support/signing-keys.js';
import { Workshop } from '../support/workshop.js';

/* What skopeo signs, berth takes, of a registry and of a folder, under the same policy and the same registries.d. */

const keys = new SigningKeys();
const shop = new Workshop();
let registry: RealRegistry;
let fingerprint = '';
const policy = shop.at('signed.json');

before(async () => {
  registry = await startRegistry();
  fingerprint = await keys.make('release');
  await keys.make('stranger');
  const keyPath = shop.at('release.gpg');
  writeFileSync(keyPath, await keys.export(['release']));
  const signedBy = { type: 'signedBy', keyType: 'GPGKeys', keyPath };
  const exactReference = { type: 'exactReference', dockerReference: 'v.example/etcd:1' };
  writeFileSync(
    policy,
    JSON.stringify({
      default: [{ type: 'reject' }],
      transports: {
        docker: { [registry.host]: [signedBy] },
        dir: { [shop.folder.path]: [{ ...signedBy, signedIdentity: exactReference }] },
      },
    }),
  );
  mkdirSync(shop.at('registries.d'));
  writeFileSync(
    shop.at('registries.d/a.yaml'),
    `docker:\n  "${registry.host}":\n    lookaside: file://${shop.at('lookaside')}\n`,
  );
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
  shop[Symbol.dispose]();
});

async function skopeo(...args: readonly string[]): Promise<void> {
  await runOk(['skopeo', '--registries.d', shop.at('registries.d'), ...args], {
    env: { ...process.env, GNUPGHOME: keys.home },
  });
}

async function push(tag: string, signer: string | undefined): Promise<void> {
  const sign = signer === undefined ? [] : ['--sign-by', signer];
  const to = `docker://${registry.host}/ns/etcd:${tag}`;
  const copy = ['--policy', shop.at('policy.json'), 'copy', '--dest-tls-verify=false'];
  await skopeo(...copy, ...sign, shop.source, to);
}

/** Whether skopeo takes it under the policy: the peer that berth is to agree with. */
async function skopeoTakes(from: string): Promise<boolean> {
  const to = `oci:${shop.at('taken')}:x`;
  return await skopeo(
    '--policy',
    policy,
    'copy',
    '--remove-signatures',
    '--src-tls-verify=false',
    from,
    to,
  ).then(
    () => true,
    () => false,
  );
}

async function pull(name: string): Promise<Awaited<ReturnType<Puller['prepare']>>['trust']> {
  await using registryClient = new RegistryClient({ certDirs: [] });
  await using puller = new Puller({
    trust: new PolicyTrust({
      policy: { path: policy, isNamed: true },
      registriesD: shop.at('registries.d'),
      registryClient,
      onDisk: (path) => Promise.resolve(path),
    }),
  });
  return (await puller.prepare(name)).trust;
}

test('an image that skopeo signed while it pushed it', async () => {
  await push('signed', fingerprint);
  const docker = `docker://${registry.host}/ns/etcd:signed`;
  assert.ok(await skopeoTakes(docker));
  const taken = await pull(`http:${registry.host}/ns/etcd:signed`);
  assert.equal(taken.scope, `docker:${registry.host}`);
  const { madeAtMs, ...signature } = taken.signatures[0] ?? {};
  const identity = `${registry.host}/ns/etcd:signed`;
  assert.deepEqual(signature, { type: 'signedBy', key: fingerprint, identity });
  assert.ok(Math.abs((madeAtMs ?? 0) - Date.now()) < 60_000);
  // By digest any tag of the repository will do.
  const { signatures } = await pull(`http:${registry.host}/ns/etcd@${shop.digest}`);
  assert.equal(signatures[0]?.identity, `${registry.host}/ns/etcd:signed`);
});

test('the same image under a tag that nobody signed, by another key, and elsewhere', async () => {
  await push('unsigned', undefined);
  assert.ok(!(await skopeoTakes(`docker://${registry.host}/ns/etcd:unsigned`)));
  await assertFails('SIGNATURE_INVALID', () => pull(`http:${registry.host}/ns/etcd:unsigned`));

  await push('strange', await keys.fingerprint('stranger'));
  assert.ok(!(await skopeoTakes(`docker://${registry.host}/ns/etcd:strange`)));
  await assertFails('SIGNATURE_INVALID', () => pull(`http:${registry.host}/ns/etcd:strange`));

  assert.ok(!(await skopeoTakes(shop.source)));
  await assertFails('SIGNATURE_REFUSED', () => pull(shop.source));
});

test('skopeo standalone-sign, in a folder with its image and beside a registry', async () => {
  const folder = shop.at('image');
  await skopeo('--policy', shop.at('policy.json'), 'copy', shop.source, `dir:${folder}`);
  const manifest = join(folder, 'manifest.json');
  assert.ok(!(await skopeoTakes(`dir:${folder}`)));
  await assertFails('SIGNATURE_MISSING', () => pull(`dir:${folder}`));
  const output = ['--output', join(folder, 'signature-1')];
  await skopeo('standalone-sign', manifest, 'v.example/etcd:1', fingerprint, ...output);
  assert.ok(await skopeoTakes(`dir:${folder}`));
  const { signatures, scope } = await pull(`dir:${folder}`);
  assert.equal(scope, `dir:${shop.folder.path}`);
  assert.equal(signatures[0]?.identity, 'v.example/etcd:1');

  writeFileSync(manifest, `${readFileSync(manifest, 'utf8')} `);
  assert.ok(!(await skopeoTakes(`dir:${folder}`)));
  await assertFails('SIGNATURE_INVALID', () => pull(`dir:${folder}`));
  assert.ok(readdirSync(folder).includes('signature-1'));
});
