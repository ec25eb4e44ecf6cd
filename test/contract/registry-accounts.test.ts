import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { suite, test } from 'node:test';

import { projectRoot } from '../support/cache-folder.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { startRegistry } from '../support/registry.js';
import { runCommand, runOk, type CommandResult } from '../support/run-command.js';
import { Workshop } from '../support/workshop.js';
import { waitUntil } from '../support/wait-until.js';

// The options and commands for accounts and certificates, as a person types them.

const account = { user: 'somebody', password: 'pass:word with blanks' };
const program = `${projectRoot}/dist/bin/berth.cjs`;

function berth(args: readonly string[], input?: string): Promise<CommandResult> {
  return runCommand([process.execPath, program, ...args], input === undefined ? {} : { input });
}

async function berthOk(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await berth(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

for (const { name, start } of [
  { name: 'a password with each request', start: () => startRegistry({ credentials: account }) },
  {
    name: 'a token',
    start: () =>
      FakeRegistry.start({ login: 'bearer', accounts: { [account.user]: account.password } }),
  },
]) {
  suite(`a registry that wants ${name}`, () => {
    test('is logged in to, used and left', async () => {
      using shop = new Workshop();
      await using registry = await start();
      const authfile = shop.at('deep/auth.json');
      mkdirSync(shop.at('deep'));
      const kept = { auths: { 'other.example': { auth: 'eDp5' } }, mine: 1 };
      writeFileSync(authfile, JSON.stringify(kept), { mode: 0o644 });
      const login = ['login', '-u', account.user, '--password-stdin', '--authfile', authfile];
      const wrong = await berth([...login, registry.host], 'wrong\n');
      assert.equal(wrong.status, 77, wrong.stderr);
      assert.doesNotMatch(wrong.stderr, /wrong\b(?! )/);
      assert.deepEqual(JSON.parse(readFileSync(authfile, 'utf8')), kept, 'a wrong login was kept');
      const right = await berth([...login, '--json', registry.host], `${account.password}\n`);
      assert.equal(right.status, 0, right.stderr);
      const said = { registry: registry.host, username: account.user, file: authfile };
      assert.deepEqual(JSON.parse(right.stdout), said);
      assert.equal(statSync(authfile).mode & 0o777, 0o600);
      const file = JSON.parse(readFileSync(authfile, 'utf8')) as {
        auths: Record<string, { auth: string }>;
        mine: number;
      };
      assert.equal(file.mine, 1);
      assert.ok(file.auths['other.example'] !== undefined);

      const image = `${registry.host}/a/b:v1`;
      await berthOk('push', '--authfile', authfile, shop.source, image);
      const tags = await berthOk('tags', '--json', '--authfile', authfile, image);
      assert.deepEqual(JSON.parse(tags), { repository: `${registry.host}/a/b`, tags: ['v1'] });
      const inspect = ['skopeo', 'inspect', '--tls-verify=false', '--authfile', authfile];
      const seen = await runOk([...inspect, '--format', '{{.Digest}}', `docker://${image}`]);
      assert.equal(seen.trim(), shop.digest);

      await berthOk('logout', '--json', '--authfile', authfile, registry.host);
      assert.equal((await berth(['tags', '--authfile', authfile, image])).status, 77);
      const left = JSON.parse(readFileSync(authfile, 'utf8')) as { auths: object };
      assert.deepEqual(Object.keys(left.auths), ['other.example']);
    });

    test('takes an account from the command line, which nobody else sees', async () => {
      using shop = new Workshop();
      await using registry = await start();
      const creds = `${account.user}:${account.password}`;
      const image = `${registry.host}/a/b:v1`;
      await berthOk('push', '--dest-creds', creds, shop.source, image);
      assert.equal(await berthOk('tags', '--creds', creds, image), 'v1\n');
      assert.equal((await berth(['tags', '--creds', `${creds}x`, image])).status, 77);
      const broken = await berth(['tags', '--creds', 'nocolon-secret', image]);
      assert.equal(broken.status, 64);
    });
  });
}

test('R23 an account of the command line goes to the registry of the image, not to another one', async () => {
  using shop = new Workshop();
  await using mirror = await FakeRegistry.start({ login: 'basic', accounts: { a: 'b' } });
  await using registry = await startRegistry({ credentials: account });
  const creds = `${account.user}:${account.password}`;
  const image = `${registry.host}/a/b:v1`;
  await berthOk('push', '--dest-creds', creds, shop.source, image);
  const conf = shop.at('registries.conf');
  writeFileSync(
    conf,
    `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`,
  );
  const { status, stdout, stderr } = await runCommand(
    [process.execPath, program, 'inspect', '--creds', creds, image],
    { env: { ...process.env, CONTAINERS_REGISTRIES_CONF: conf } },
  );
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes(shop.digest));
  assert.ok(mirror.seen.length > 0, 'this case proves nothing');
  for (const { headers } of mirror.seen) {
    assert.equal(headers.authorization, undefined, 'the account was shown to the mirror');
  }
});

test('a password is not to be read in the list of processes', async () => {
  using shop = new Workshop();
  await using registry = await FakeRegistry.start();
  registry.interfere(() => true); // it never answers
  const args = ['tags', '--creds', 'user:topsecret', `${registry.host}/a/b`];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: 'ignore',
    cwd: shop.folder.path,
  });
  await waitUntil('its first request', () => registry.seen.length > 0);
  const line = readFileSync(`/proc/${child.pid}/cmdline`, 'latin1');
  child.kill('SIGKILL');
  assert.doesNotMatch(line, /topsecret/);
});

suite('a registry behind TLS', () => {
  test('is believed by its certificate in a folder, or unseen where the user says so', async () => {
    using shop = new Workshop();
    await using registry = await startRegistry({ tls: true });
    const image = `${registry.host}/a/b:v1`;
    mkdirSync(shop.at('certs'));
    copyFileSync(registry.caFile, shop.at('certs/ca.crt'));
    assert.equal((await berth(['push', shop.source, image])).status, 77);
    await berthOk('push', '--dest-cert-dir', shop.at('certs'), shop.source, image);
    assert.equal((await berth(['tags', image])).status, 77);
    assert.equal(await berthOk('tags', '--cert-dir', shop.at('certs'), image), 'v1\n');
    assert.equal(await berthOk('tags', '--tls-verify=false', image), 'v1\n');
    assert.equal((await berth(['tags', '--tls-verify=true', image])).status, 77);
  });

  test('is the only one that is spoken to where TLS is asked for', async () => {
    await using registry = await startRegistry();
    const { status, stderr } = await berth(['tags', '--tls-verify=true', `${registry.host}/a`]);
    assert.equal(status, 77, stderr);
    assert.match(stderr, /hint/);
  });
});

test('a download keeps to its rate', async () => {
  using shop = new Workshop();
  await using registry = await startRegistry();
  const noise = shop.at('noise');
  await runOk(['sh', '-c', 'head -c 400000 /dev/urandom > "$0"', noise]);
  await runOk(['umoci', 'init', '--layout', shop.at('l')]);
  await runOk(['umoci', 'new', '--image', `${shop.at('l')}:x`]);
  await runOk(['umoci', 'insert', '--image', `${shop.at('l')}:x`, noise, '/noise']);
  const image = `${registry.host}/rate:x`;
  await berthOk('push', `oci:${shop.at('l')}:x`, image);
  const start = performance.now();
  await berthOk('copy', '--max-rate', '200K', image, `oci:${shop.at('slow')}:x`);
  const seconds = (performance.now() - start) / 1000;
  // 400,000 bytes at 204,800 a second, a quarter of a second of burst.
  assert.ok(seconds > 1.6, `it took ${seconds} seconds`);
  assert.ok(existsSync(shop.at('slow/index.json')));
  assert.equal((await berth(['copy', '--max-rate', '0', image, 'oci:/x'])).status, 64);
});

test('updating, by hand and by the timer, and repairing take accounts', async () => {
  using tree = new BerthInTree();
  await using registry = await FakeRegistry.start({
    login: 'basic',
    accounts: { [account.user]: account.password },
  });
  const creds = ['--creds', `${account.user}:${account.password}`];
  const image = `${registry.host}/web:v1`;
  const push = async (content: string): Promise<void> => {
    const layout = tree.makeImage(content, [{ path: 'version', content }]);
    await tree.runOk('push', '--dest-creds', `${account.user}:${account.password}`, layout, image);
  };
  const authfile = `${tree.path}/auth.json`;
  const auth = Buffer.from(`${account.user}:${account.password}`).toString('base64');
  writeFileSync(authfile, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const version = `${tree.path}/var/lib/berth/web/rootfs/version`;
  await push('one');
  await tree.runOk('install', ...creds, image);
  appendFileSync(version, 'evil');
  assert.equal((await tree.run('fsck', '--repair')).status, 1);
  await tree.runOk('fsck', '--repair', ...creds);

  await push('two');
  assert.equal((await tree.run('update', 'web')).status, 77);
  await tree.runOk('update', ...creds, 'web');
  assert.equal(readFileSync(version, 'utf8'), 'two');

  await push('three');
  await tree.runOk('policy', '--mode', 'download', 'web');
  assert.equal((await tree.run('auto-update')).status, 77);
  const found = await tree.runOk('auto-update', '--authfile', authfile);
  assert.match(found, /^web: downloaded/m);
});
