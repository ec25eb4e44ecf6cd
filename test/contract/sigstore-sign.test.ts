import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { ownFile } from '../../src/base/own-files.js';
import { boxKey } from '../support/boxed-key.js';
import { assertFreshProgram } from '../support/fresh-program.js';
import { pushImage, pushIndex } from '../support/push-image.js';
import { startRegistry, type RealRegistry } from '../support/registry.js';
import { runCommand, type CommandResult } from '../support/run-command.js';
import { makeSigstoreKey } from '../support/sigstore-attachments.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/* `berth sign` with a private key of sigstore's kind, and what it puts into a registry. Debian's skopeo is built without these. */

const folder = new TempDir();
const at = (name: string): string => join(folder.path, name);
const key = makeSigstoreKey();
let registry: RealRegistry;

assertFreshProgram();

before(async () => {
  registry = await startRegistry();
  const target = registry.target('ns/etcd');
  const layers = [{ content: buildTar([{ path: 'a', content: 'a' }]) }];
  const image = await pushImage(target, 'one', { layers });
  const other = await pushImage(target, 'two', { layers, architecture: 's390x' });
  const inner = await pushIndex(target, undefined, [image, other]);
  await pushIndex(target, 'nested', [inner]);
  mkdirSync(at('registries.d'));
  const conf = 'default-docker:\n  use-sigstore-attachments: true\n';
  writeFileSync(at('registries.d/a.yaml'), conf);
  writeFileSync(at('key.pub'), key.publicKey);
  writeFileSync(at('passphrase'), 'correct horse\n');
  writeFileSync(at('plain.pem'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const locked = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc' } as const;
  writeFileSync(
    at('locked.pem'),
    key.privateKey.export({ ...locked, passphrase: 'correct horse' }),
  );
  writeFileSync(at('boxed.key'), boxKey(key.privateKey, 'correct horse'));
  const requirement = {
    type: 'sigstoreSigned',
    keyPath: at('key.pub'),
    signedIdentity: { type: 'matchRepository' },
  };
  const policy = { default: [{ type: 'reject' }], transports: { docker: { '': [requirement] } } };
  writeFileSync(at('policy.json'), JSON.stringify(policy));
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function berth(...args: readonly string[]): Promise<CommandResult> {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder.path,
    BERTH_STATE_DIR: at('state'),
    BERTH_RUN_DIR: at('run'),
    BERTH_POLICY: at('policy.json'),
    BERTH_REGISTRIES_D: at('registries.d'),
  };
  return await runCommand([process.execPath, ownFile('dist/bin/berth.cjs'), ...args], { env });
}

async function berthOk(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await berth(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const name = (tag: string): string => `http:${registry.host}/ns/etcd:${tag}`;
const SIGN = '--sign-by-sigstore-private-key';

test('what berth signs with any of the three kinds of files, berth takes', async () => {
  assert.equal((await berth('pull', name('one'))).status, 77);
  let attached = '';
  for (const [file, ...more] of [
    ['plain.pem'],
    ['locked.pem', '--passphrase-file', at('passphrase')],
    ['boxed.key', '--passphrase-file', at('passphrase')],
  ] as const) {
    const out = await berthOk('sign', SIGN, at(file), ...more, '--json', name('one'));
    const [made] = JSON.parse(out) as readonly { readonly path: string }[];
    assert.match(made?.path ?? '', /^docker:\/\/.*:sha256-[0-9a-f]{64}\.sig$/);
    attached = `http:${made?.path.slice('docker://'.length) ?? ''}`;
    await berthOk('pull', name('one'));
  }
  // Each was added to those that were there, in the form that cosign's SIGNATURE_SPEC gives.
  const { layers, config } = JSON.parse(await berthOk('inspect', '--raw', attached)) as Readonly<
    Record<'layers' | 'config', never>
  >;
  const payload = 'application/vnd.dev.cosign.simplesigning.v1+json';
  assert.deepEqual(
    (layers as readonly { readonly mediaType: string }[]).map(({ mediaType }) => mediaType),
    [payload, payload, payload],
  );
  assert.match(JSON.stringify(config), /"application\/vnd\.oci\.image\.config\.v1\+json"/);
});

test('an index within an index is signed with all that it lists', async () => {
  const made = JSON.parse(
    await berthOk('sign', SIGN, at('plain.pem'), '--json', name('nested')),
  ) as readonly { readonly digest: string }[];
  assert.equal(new Set(made.map(({ digest }) => digest)).size, 4);
  await berthOk('pull', name('nested'));
});

test('of those who sign at once none loses what another has put there', async () => {
  const layers = [{ content: buildTar([{ path: 'b', content: 'b' }]) }];
  await pushImage(registry.target('ns/etcd'), 'at-once', { layers });
  const made = await Promise.all(
    [1, 2, 3, 4].map(() => berthOk('sign', SIGN, at('plain.pem'), '--json', name('at-once'))),
  );
  const [{ path }] = JSON.parse(made[0] ?? '') as [{ readonly path: string }];
  const { layers: attached } = JSON.parse(
    await berthOk('inspect', '--raw', `http:${path.slice('docker://'.length)}`),
  ) as { readonly layers: readonly unknown[] };
  assert.equal(attached.length, made.length);
});

test('keys that are none, other passphrases, and files that ask for much', async () => {
  const big = boxKey(key.privateKey, 'correct horse', { N: 2 ** 24 });
  const rows: readonly (readonly [string, string, readonly string[], number])[] = [
    ['public', key.publicKey, [], 78],
    ['noise', 'x', [], 78],
    ['boxed without a terminal', boxKey(key.privateKey, 'x'), [], 64],
    [
      'another passphrase',
      boxKey(key.privateKey, 'x'),
      ['--passphrase-file', at('passphrase')],
      78,
    ],
    ['a box of 16 GiB', big, ['--passphrase-file', at('passphrase')], 78],
    ['two keys', `${key.publicKey}${key.publicKey}`, [], 78],
    [
      'a short RSA key',
      makeSigstoreKey('short-rsa').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      [],
      78,
    ],
    [
      'and a name for gpg',
      key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ['--sign-by', 'x'],
      64,
    ],
  ];
  for (const [what, content, more, status] of rows) {
    writeFileSync(at('wrong.key'), content);
    const result = await berth('sign', SIGN, at('wrong.key'), ...more, name('two'));
    assert.equal(result.status, status, `${what}: ${result.stderr}`);
  }
  assert.equal((await berth('pull', '--platform', 'linux/s390x', name('two'))).status, 0); // signed as part of the index
});
