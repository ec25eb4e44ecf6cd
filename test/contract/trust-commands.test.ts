import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { ownFile } from '../../src/base/own-files.js';
import { assertFreshProgram } from '../support/fresh-program.js';
import { pushImage, pushIndex } from '../support/push-image.js';
import { startRegistry, type RealRegistry } from '../support/registry.js';
import { runCommand, runOk, type CommandResult } from '../support/run-command.js';
import { SigningKeys } from '../support/signing-keys.js';
import { buildTar } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/* `berth trust` and `berth sign`, on a folder: what they write is what skopeo goes by, too. */

const keys = new SigningKeys();
const folder = new TempDir();
const at = (name: string): string => join(folder.path, name);
let registry: RealRegistry;
let fingerprint = '';

before(async () => {
  registry = await startRegistry();
  fingerprint = await keys.make('release');
  await keys.make('second');
  for (const name of ['release', 'second'])
    writeFileSync(at(`${name}.gpg`), await keys.export([name]));
  const target = registry.target('ns/etcd');
  const layers = [{ content: buildTar([{ path: 'a', content: 'a' }]) }];
  const image = await pushImage(target, 'one', { layers });
  const other = await pushImage(target, undefined, { layers, architecture: 's390x' });
  await pushIndex(target, 'all', [image, other]);
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const env = {
  PATH: process.env['PATH'],
  HOME: folder.path,
  BERTH_STATE_DIR: at('state'),
  BERTH_RUN_DIR: at('run'),
  BERTH_REGISTRIES_D: at('registries.d'),
  BERTH_CONFIG: at('berth.conf'),
};

async function berth(...args: readonly string[]): Promise<CommandResult> {
  writeFileSync(at('berth.conf'), `[trust]\npolicy = "${at('policy.json')}"\n`);
  return await runCommand([process.execPath, ownFile('dist/bin/berth.cjs'), ...args], { env });
}

async function berthOk(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await berth(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

assertFreshProgram();

const policy = (): unknown => JSON.parse(readFileSync(at('policy.json'), 'utf8'));

async function skopeoTakes(name: string): Promise<boolean> {
  const how = ['--registries.d', at('registries.d'), '--policy', at('policy.json')];
  const copy = ['copy', '--remove-signatures', '--src-tls-verify=false'];
  const from = `docker://${registry.host}/${name}`;
  const { status } = await runCommand(['skopeo', ...how, ...copy, from, `oci:${at('out')}:x`]);
  return status === 0;
}

const berthTakes = async (name: string): Promise<CommandResult> =>
  await berth('pull', `http:${registry.host}/${name}`);

test('a policy is made, changed and shown', async () => {
  assert.ok(!existsSync(at('policy.json')));
  await berthOk('trust', 'default', 'reject');
  assert.deepEqual(policy(), { default: [{ type: 'reject' }] });
  const refused = await berthTakes('ns/etcd:one');
  assert.equal(refused.status, 77, refused.stderr);
  assert.match(refused.stderr, /rejects 'docker:\/\//);

  const add = ['trust', 'add', '--pubkeysfile', at('release.gpg')];
  const where = `file://${at('lookaside')}`;
  await berthOk(...add, '--sigstore', where, `${registry.host}/ns`);
  await berthOk('trust', 'add', '--pubkeys', at('second.gpg'), 'other.example');
  await berthOk('trust', 'add', '--type', 'accept', 'free.example');
  await berthOk('trust', 'add', '--type', 'reject', '--sigstoretype', 'local', '/media/usb');
  const keyData = readFileSync(at('second.gpg')).toString('base64');
  const gpg = { type: 'signedBy', keyType: 'GPGKeys' };
  assert.deepEqual(policy(), {
    default: [{ type: 'reject' }],
    transports: {
      docker: {
        [`${registry.host}/ns`]: [{ ...gpg, keyPath: at('release.gpg') }],
        'other.example': [{ ...gpg, keyData }],
        'free.example': [{ type: 'insecureAcceptAnything' }],
      },
      dir: { '/media/usb': [{ type: 'reject' }] },
    },
  });
  const shown = await berthOk('trust', 'show');
  assert.ok(shown.includes(fingerprint), shown);
  assert.ok(shown.includes('release <release@example.com>'), shown);
  assert.ok(shown.includes(where), shown);
  assert.equal(await berthOk('trust', 'show', '--raw'), readFileSync(at('policy.json'), 'utf8'));
  const { entries } = JSON.parse(await berthOk('trust', 'show', '--json')) as {
    readonly entries: readonly { readonly scope?: string; readonly keys: readonly string[] }[];
  };
  const entry = entries.find(({ scope }) => scope === `${registry.host}/ns`);
  assert.deepEqual(entry?.keys, [`${fingerprint} release <release@example.com>`]);

  await berthOk('trust', 'delete', 'other.example');
  await berthOk('trust', 'delete', '--sigstoretype', 'local', '/media/usb');
  assert.equal((await berth('trust', 'delete', 'other.example')).status, 64);
  assert.deepEqual(Object.keys((policy() as { transports: object }).transports), ['docker']);
});

test('what berth signs, skopeo and berth take: a manifest, and an index with all that it lists', async () => {
  for (const [tag, count] of [
    ['one', 1],
    ['all', 3],
  ] as const) {
    const name = `ns/etcd:${tag}`;
    assert.ok(!(await skopeoTakes(name)));
    assert.notEqual((await berthTakes(name)).status, 0);
    const sign = ['sign', '--sign-by', fingerprint, '--gnupghome', keys.home];
    const out = await berthOk(...sign, '--json', `http:${registry.host}/${name}`);
    const made = JSON.parse(out) as readonly { readonly path: string }[];
    assert.equal(made.length, count);
    assert.ok(made.every(({ path }) => path.startsWith(at('lookaside/ns/etcd@sha256='))));
    assert.ok(await skopeoTakes(name));
    const taken = await berthTakes(name);
    assert.equal(taken.status, 0, taken.stderr);
  }
  // The manifest has two by now: one for each name.
  const [first = ''] = readdirSync(at('lookaside/ns')).filter(
    (name) => readdirSync(at(`lookaside/ns/${name}`)).length === 2,
  );
  const signature = at(`lookaside/ns/${first}/signature-1`);
  const document = JSON.parse(
    await runOk(['gpg', '--homedir', keys.home, '--quiet', '--decrypt', signature]),
  ) as { readonly optional: { readonly creator: string } };
  assert.match(document.optional.creator, /^berth \d/);
  // And into a folder of one's own.
  const image = `http:${registry.host}/ns/etcd:one`;
  await berthOk('sign', '--sign-by', 'second', '-g', keys.home, '-d', at('mine #1 100%'), image);
  assert.equal(readdirSync(at('mine #1 100%/ns')).length, 1);
  const stranger = await berth('sign', '--sign-by', 'nobody', '-g', keys.home, image);
  assert.equal(stranger.status, 1);
  assert.match(stranger.stderr, /No secret key/);
});

test('what a mirror says that a name means is not what is signed', async () => {
  const layers = [{ content: buildTar([{ path: 'b', content: 'b' }]) }];
  const theirs = await pushImage(registry.target('mirror/etcd'), 'one', { layers });
  const conf = at('registries.conf');
  const [rule, mirror] = ['ns', 'mirror'].map((name) => `location = "${registry.host}/${name}"\n`);
  writeFileSync(conf, `[[registry]]\n${rule ?? ''}[[registry.mirror]]\n${mirror ?? ''}`);
  const image = `http:${registry.host}/ns/etcd:one`;
  const mirrored = { ...env, CONTAINERS_REGISTRIES_CONF: conf };
  const program = [process.execPath, ownFile('dist/bin/berth.cjs')];
  const seen = await runOk([...program, 'inspect', image], { env: mirrored });
  assert.ok(seen.includes(theirs.digest), 'this case proves nothing');
  const sign = ['sign', '--sign-by', fingerprint, '-g', keys.home, '-d', at('apart'), '--json'];
  const out = await runOk([...program, ...sign, image], { env: mirrored });
  const [made] = JSON.parse(out) as readonly { readonly digest: string }[];
  assert.ok(made !== undefined);
  assert.notEqual(made.digest, theirs.digest);
});

test('both keys have to have signed where two are named, and a scope goes with its place', async () => {
  const add = ['-f', at('release.gpg'), '-f', at('second.gpg'), '-s', `file://${at('lookaside')}`];
  await berthOk('trust', 'add', ...add, `${registry.host}/ns`);
  assert.ok(!(await skopeoTakes('ns/etcd:one')));
  assert.equal((await berthTakes('ns/etcd:one')).status, 65);
  const image = `http:${registry.host}/ns/etcd:one`;
  await berthOk('sign', '--sign-by', 'second', '--gnupghome', keys.home, image);
  assert.ok(await skopeoTakes('ns/etcd:one'));
  assert.equal((await berthTakes('ns/etcd:one')).status, 0);

  await berthOk('trust', 'delete', '--save-sigstore', `${registry.host}/ns`);
  assert.equal(readdirSync(at('registries.d')).length, 1);
  assert.equal((await berthTakes('ns/etcd:one')).status, 77);
  await berthOk('trust', 'add', '--type', 'accept', `${registry.host}/ns`);
  await berthOk('trust', 'delete', `${registry.host}/ns`);
  assert.equal(readdirSync(at('registries.d')).length, 0);
});

test('of changes at once none is lost', async () => {
  const scopes = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}.at-once.example`);
  await Promise.all(scopes.map((scope) => berthOk('trust', 'add', '--type', 'reject', scope)));
  const { docker } = (policy() as { readonly transports: { readonly docker: object } }).transports;
  for (const scope of scopes) assert.ok(scope in docker, `${scope} was lost`);
});

test('S19 what is not understood is not changed, one key does not count twice, nor is changed what somebody else wrote', async () => {
  const unknown = '{"default":[{"type":"reject"}],"ours":1}';
  writeFileSync(at('policy.json'), unknown);
  assert.equal((await berth('trust', 'default', 'accept')).status, 78);
  assert.equal(readFileSync(at('policy.json'), 'utf8'), unknown);

  writeFileSync(at('policy.json'), '{"default":[{"type":"reject"}]}');
  mkdirSync(at('registries.d'), { recursive: true });
  const theirs = '# mine\ndocker:\n  a.example:\n    lookaside: https://a.example/s\n';
  writeFileSync(at('registries.d/mine.yaml'), theirs);
  const add = ['trust', 'add', '-f', at('release.gpg'), '-s', 'https://b.example/s', 'a.example'];
  assert.equal((await berth(...add)).status, 78);
  assert.deepEqual(policy(), { default: [{ type: 'reject' }] });
  await berthOk('trust', 'add', '-t', 'reject', 'a.example');
  assert.equal((await berth('trust', 'delete', 'a.example')).status, 78);
  await berthOk('trust', 'delete', '--save-sigstore', 'a.example');
  assert.equal(readFileSync(at('registries.d/mine.yaml'), 'utf8'), theirs);

  // What says all that is wanted is left to whoever wrote it.
  await berthOk(...add.slice(0, 4), '-s', 'https://a.example/s', 'A.example');
  await berthOk('trust', 'delete', '--save-sigstore', 'a.example');
  assert.deepEqual(readdirSync(at('registries.d')), ['mine.yaml']);
  assert.equal(readFileSync(at('registries.d/mine.yaml'), 'utf8'), theirs);

  writeFileSync(at('open.gpg'), await keys.export(['second']));
  chmodSync(at('open.gpg'), 0o666);
  writeFileSync(at('release.asc'), await keys.export(['release'], ['--armor']));
  const wrong = [
    [['add', 'a.example'], 64],
    [['add', '-t', 'reject', '-f', at('release.gpg'), 'a.example'], 64],
    [['add', '-t', 'reject', 'a b'], 64],
    [['add', '-t', 'reject', 'ex*mple.com'], 64],
    [['add', '-t', 'reject', '--sigstoretype', 'local', 'relative'], 64],
    [['add', '-t', 'nonsense', 'a.example'], 64],
    [['add', '-t', 'reject', '-s', 'ftp://x/y', 'b.example'], 64],
    [['add', '-k', 'https://a.example/key', 'a.example'], 64],
    [['add', '-f', '/nonexistent', 'a.example'], 78],
    [['add', '-f', at('open.gpg'), 'a.example'], 78],
    [['add', '-f', at('release.gpg'), '-k', at('release.asc'), 'a.example'], 64],
    [['add', '-f', at('policy.json'), 'a.example'], 78],
    [['default', 'maybe'], 64],
    [['delete', 'nowhere.example'], 64],
  ] as const;
  await Promise.all(
    wrong.map(async ([args, status]) => {
      const { status: got, stderr } = await berth('trust', ...args);
      assert.equal(got, status, `${args.join(' ')}: ${stderr}`);
    }),
  );
  assert.deepEqual(policy(), { default: [{ type: 'reject' }], transports: {} });
});

test('F47 what is written under a narrow umask can be read by everybody whose programs go by it', async () => {
  const before = process.umask(0o077);
  try {
    writeFileSync(at('narrow.conf'), `[trust]\npolicy = "${at('narrow/etc/policy.json')}"\n`);
    const narrow = { ...env, BERTH_CONFIG: at('narrow.conf'), BERTH_REGISTRIES_D: at('narrow/d') };
    const add = ['trust', 'add', '-f', at('release.gpg'), '-s', 'https://a.example', 'a.example'];
    const program = [process.execPath, ownFile('dist/bin/berth.cjs')];
    const { status, stderr } = await runCommand([...program, ...add], { env: narrow });
    assert.equal(status, 0, stderr);
  } finally {
    process.umask(before);
  }
  const modeOf = (name: string): number => statSync(at(`narrow/${name}`)).mode & 0o777;
  for (const name of ['', 'etc', 'd']) assert.equal(modeOf(name), 0o755, name);
  for (const name of ['etc/policy.json', 'd/berth-a.example.yaml'])
    assert.equal(modeOf(name), 0o644, name);
});
