import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { assertOk } from '../support/command-asserts.js';
import { debianImageLayers } from '../support/debian-image.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { configTemplate, SERVICE_TEMPLATE } from '../support/exports-image.js';
import { pushImage } from '../support/push-image.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { buildLayer } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

/*
 * One image in every form that there is, each written by somebody else's program, installed on a booted host and spoken to. What
 * is on the host already installs while its network is down, loopback and all.
 */

/** A row: how the form comes to be, where the host finds it, and what is typed there. */
interface Form {
  readonly name: string;
  /** The name of the container, and of the repository of its image. */
  readonly container: string;
  /** Makes the form of `image`, a reference of the registry; `tree` is the host's root. */
  readonly make?: (image: string, tree: string) => Promise<void>;
  /** What is typed; `image` is the reference in the registry. */
  readonly typed: (image: string) => string;
  readonly needsNetwork?: boolean;
}

/** The account at the registry; the password is looked for afterwards wherever a service could have left it. */
const account = { user: 'harbour', password: 'marker-of-the-password' };

let registry: RealRegistry;
let engine: DockerEngine;
let host: BootedHost;
const folder = new TempDir();

async function skopeo(image: string, to: string): Promise<void> {
  const policy = `${folder.path}/policy.json`;
  const creds = ['--src-creds', `${account.user}:${account.password}`];
  const engineHost = ['--dest-daemon-host', `unix://${engine.socket}`];
  const options = ['--src-tls-verify=false', ...creds, ...engineHost];
  const from = `docker://${image}`;
  await runOk(['skopeo', '--policy', policy, 'copy', '--quiet', ...options, from, to]);
}

/** `docker save` of the image and of another one, which is not to be taken for it. */
async function saveTwo(image: string, path: string): Promise<void> {
  await skopeo(image, 'docker-daemon:harbour.example/tug:1');
  await skopeo(registry.reference('decoy'), 'docker-daemon:harbour.example/decoy:1');
  const names = ['harbour.example/decoy:1', 'harbour.example/tug:1'];
  const docker = ['docker', '--host', `unix://${engine.socket}`];
  await runOk([...docker, 'save', '--output', path, ...names]);
}

// prettier-ignore
const forms: readonly Form[] = [
  { name: 'oci', container: 'layout', make: (image, tree) => skopeo(image, `oci:${tree}/media/stick:v1`), typed: () => 'oci:/media/stick:v1' },
  { name: 'oci-archive', container: 'archive', make: (image, tree) => skopeo(image, `oci-archive:${tree}/media/a.tar:v1`), typed: () => 'oci-archive:/media/a.tar:v1' },
  { name: 'docker-archive with several', container: 'several', make: (image, tree) => saveTwo(image, `${tree}/media/two.tar`), typed: () => 'docker-archive:/media/two.tar:harbour.example/tug:1' },
  { name: 'dockertar, the spelling of atomic', container: 'tar', make: (image, tree) => skopeo(image, `docker-archive:${tree}/media/b.tar:x:1`), typed: () => 'dockertar:/media/b.tar' },
  { name: 'dir', container: 'dir', make: (image, tree) => skopeo(image, `dir:${tree}/media/dir`), typed: () => 'dir:/media/dir' },
  { name: 'docker-daemon', container: 'daemon', make: (image) => skopeo(image, 'docker-daemon:tug:1'), typed: () => 'docker-daemon:tug:1' },
  { name: 'docker:NAME:TAG, the spelling of atomic', container: 'engine', make: (image) => skopeo(image, 'docker-daemon:harbour.example/old:1'), typed: () => 'docker:harbour.example/old:1' },
  { name: 'docker://', container: 'remote', typed: (image) => `docker://${image}`, needsNetwork: true },
  { name: 'http:NAME, the spelling of atomic', container: 'plain', typed: (image) => `http:${image}`, needsNetwork: true },
];

before(async () => {
  writeFileSync(`${folder.path}/policy.json`, '{"default":[{"type":"insecureAcceptAnything"}]}');
  [registry, engine] = await Promise.all([
    startRegistry({ credentials: account }),
    startDockerEngine(),
  ]);
  const program = await readProbe();
  for (const { container } of [...forms, { container: 'decoy' }]) {
    await pushImage(registry.target(container), 'latest', {
      layers: [{ content: layerOf(program, container) }],
      process: { Entrypoint: ['/probe'] },
    });
  }
  host = await bootHost({
    suite: 'bookworm',
    prepare: async (tree) => {
      mkdirSync(`${tree}/media`, { recursive: true });
      for (const { container, make } of forms) await make?.(registry.reference(container), tree);
    },
  });
  await showEngine(host.outside('/run/docker.sock'), engine.socket);
  await host.sh('ip link set lo down');
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

suite('an image becomes a service that answers, from', () => {
  for (const { name, container, typed, needsNetwork } of forms) {
    test(name, async () => {
      if (needsNetwork === true) await bringNetwork();
      else assert.match(await host.sh('ip link show lo'), /state DOWN/);
      const image = typed(registry.reference(container));
      assertOk(await host.berth('install', '--system', '--name', container, image));
      const socket = `[Socket]\\nListenStream=/run/${container}.sock\\n`;
      await host.sh(
        `printf '${socket}' >/etc/systemd/system/${container}.socket; systemctl daemon-reload; systemctl start ${container}.socket`,
      );
      assert.equal(await ask(host.outside(`/run/${container}.sock`), 'ahoy'), 'ahoy');
      await host.waitFor(`${container}.service`, { ActiveState: 'active' });
      // Not one of the others: each image has a file of its own.
      const own = await host.sh(`cat /var/lib/berth/${container}/rootfs/${container}`);
      assert.equal(own, `the image of ${container}\n`);
    });
  }
});

test('no password is in the journal, in a unit or in what was installed', async () => {
  await bringNetwork();
  // As a timer would run it: all that it says goes to the journal, what it is refused included.
  const berth = 'systemd-run --wait --quiet node /opt/berth/dist/bin/berth.cjs --debug';
  await host.sh(`${berth} pull ${registry.reference('decoy')}`);
  await host.sh(`! ${berth} pull ${registry.reference('nothing')}`);
  await host.sh('journalctl --sync');
  const entries = (await host.journal()).map(({ message }) => message).join('\n');
  assert.match(entries, /cannot pull '127\.0\.0\.1:\d+\/nothing/, 'this case proves nothing');
  const both = [account.password, Buffer.from(Object.values(account).join(':')).toString('base64')];
  for (const secret of both) {
    const found = await host.run(['grep', '-rlF', secret, '/var', '/etc', '/run', '/tmp']);
    const places = found.stdout
      .trimEnd()
      .split('\n')
      .filter((path) => !path.endsWith('/auth.json'));
    assert.deepEqual(places.join(), '', 'a password lies about on the host');
    assert.ok(!entries.includes(secret), 'a password is in the journal');
  }
  const kept = await host.sh('cat /run/containers/0/auth.json');
  assert.ok(kept.includes(both[1] ?? ''), 'this case proves nothing');
});

let hasNetwork = false;

async function bringNetwork(): Promise<void> {
  if (hasNetwork) return;
  hasNetwork = true;
  await host.sh('ip link set lo up');
  await host.network.exposePort(registry.port);
  const login = ['login', '-u', account.user, '--password-stdin', registry.host];
  const input = `${account.password}\n`;
  assertOk(await host.run(['node', '/opt/berth/dist/bin/berth.cjs', ...login], { input }));
}

async function readProbe(): Promise<Buffer> {
  const [layer = ''] = (await debianImageLayers('probe')).slice(-1);
  await runOk(['tar', '-C', folder.path, '-xf', layer, './probe']);
  return readFileSync(`${folder.path}/probe`);
}

/** All in one layer, which no other image has: nothing of it is in the store when it is installed. */
function layerOf(program: Buffer, container: string): Uint8Array {
  return buildLayer([
    { path: 'probe', content: program, mode: 0o755 },
    { path: container, content: `the image of ${container}\n` },
    { path: 'proc/' },
    { path: 'exports/' },
    {
      path: 'exports/service.template',
      content: SERVICE_TEMPLATE.replace('Restart=no', 'Type=notify'),
    },
    {
      path: 'exports/config.json.template',
      content: configTemplate({
        process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'echo'], env: ['A=b'], cwd: '/' },
      }),
    },
  ]).blob;
}

/** Makes the engine of the machine listen on the host, too: a socket with a name belongs to the tree in which that stands. */
async function showEngine(path: string, socket: string): Promise<void> {
  const server = createServer((inside: Socket) => {
    const outside = connect(socket);
    inside.pipe(outside).pipe(inside);
    inside.on('error', () => outside.destroy());
    outside.on('error', () => inside.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
}

function ask(path: string, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const client = connect(path);
    client.on('data', (bytes) => (answer += bytes.toString()));
    client.once('error', reject);
    client.once('close', () => {
      resolve(answer);
    });
    client.write(words);
  });
}
