import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { askHttp } from '../support/ask-http.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { configTemplate, pushExports } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { runOk } from '../support/run-command.js';
import { compareSnapshots } from '../support/tree-snapshot.js';
import { waitUntil } from '../support/wait-until.js';

// Several commands at once, and one that is interrupted.

let registry: RealRegistry;
let host: BootedHost;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'bookworm' });
  await host.network.exposePort(registry.port);
  await pushExports(registry.target('tiny'));
});

after(async () => {
  await host[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('F18 installs of different names share layers and all succeed', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const results = await Promise.all(
    names.map((name) => host.berth('install', '--name', name, `${registry.host}/tiny:latest`)),
  );
  for (const result of results) assert.equal(result.status, 0, result.stderr);
  const inodes = await host.sh('stat -c %i /var/lib/berth/[abcd]/rootfs/probe');
  assert.equal(new Set(inodes.trim().split('\n')).size, 1, inodes);
  assert.match(await host.sh('systemctl is-enabled a b c d'), /^(enabled\n){4}$/);
  const gone = await Promise.all(names.map((name) => host.berth('uninstall', name)));
  for (const result of gone) assert.equal(result.status, 0, result.stderr);
});

test('F17 of installs of the same name one wins, and the others are told', async () => {
  const earlier = await snapshotChanging(host);
  const results = await Promise.all(
    [1, 2, 3].map(() => host.berth('install', '--name', 'same', `${registry.host}/tiny:latest`)),
  );
  const won = results.filter(({ stdout }) => stdout.includes('same installed from'));
  assert.equal(won.length, 1, JSON.stringify(results));
  for (const { status, stdout, stderr } of results) {
    if (status === 0) assert.match(stdout, /installed from|is installed already/);
    else {
      assert.equal(status, 75, stderr);
      assert.match(stderr, /another berth is changing 'same'/);
    }
  }
  assert.equal((await host.berth('uninstall', 'same')).status, 0);
  assert.deepEqual(compareSnapshots(earlier, await snapshotChanging(host)), []);
});

test("N15 an engine's container of the same id is not taken for berth's own", async () => {
  const config = configTemplate({
    process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'signals'], cwd: '/' },
  });
  await pushExports(registry.target('twin'), { files: { 'config.json.template': config } });
  const runc = readFileSync((await runOk(['which', 'runc'])).trim()).toString('base64');
  await host.runOk(['sh', '-c', 'base64 -d >/usr/bin/runc; chmod 755 /usr/bin/runc'], {
    input: runc,
  });
  // As an engine has it: the same id, in runc's own place, in a scope of its name.
  await host.sh(`
    mkdir /srv/twin
    node /opt/berth/dist/bin/berth.cjs install --name model ${registry.host}/twin:latest
    cp -r /var/lib/berth/model/rootfs /var/lib/berth/model/config.json /srv/twin
    runc --systemd-cgroup run --detach --bundle /srv/twin twin </dev/null >/dev/null 2>&1`);
  const foreign = (): Promise<string> => host.sh('runc state twin | grep -E \'"(pid|status)"\'');
  const before = await foreign();
  assert.match(before, /running/);
  const naive = await host.run([
    'runc',
    '--systemd-cgroup',
    'run',
    '--bundle',
    '/srv/twin',
    'twin',
  ]);
  assert.notEqual(naive.status, 0, 'the control: the line without a place of its own is refused');

  const installed = await host.berth(
    ...['install', '--start', '--runtime', 'runc', `${registry.host}/twin:latest`],
  );
  assert.equal(installed.status, 0, installed.stderr);
  const own = 'runc --root /run/berth/.runtime list -q';
  // runc makes the scope before it writes down the state that its list is read from, and removes them apart, too.
  const lists = async (wanted: string, when: string): Promise<void> => {
    await waitUntil(`'${wanted}' in runc's list ${when}`, async () => {
      assert.equal(await host.sh(own), wanted);
      return true;
    });
  };
  // However it ends, nothing of it is left, and nothing of the other is touched.
  for (const end of [
    'systemctl kill --signal=KILL twin; systemctl stop twin',
    'systemctl stop twin',
  ]) {
    await host.waitFor('berth-twin.scope', { ActiveState: 'active' });
    await lists('twin\n', `before '${end}'`);
    await host.sh(end);
    await host.waitFor('berth-twin.scope', { ActiveState: 'inactive' });
    await lists('', `after '${end}'`);
    assert.equal(await foreign(), before, end);
    await host.runOk(['systemctl', 'start', 'twin']);
  }
  await lists('twin\n', 'before the uninstallation');
  for (const name of ['twin', 'model'])
    assert.equal((await host.berth('uninstall', name)).status, 0, name);
  assert.equal(await foreign(), before, 'after the uninstallation');
  await host.sh('runc delete --force twin');
});

test('F13 an interrupted pull ends with 130 and leaves nothing but finished layers', async () => {
  // A registry in front of the real one, whose large blob stops in the middle.
  let stopped = false;
  const front = createServer((request, response) => {
    void (async () => {
      const { status, headers, body } = await askHttp(`${registry.origin}${request.url ?? ''}`, {
        method: request.method ?? 'GET',
        headers: { accept: request.headers.accept ?? '*/*' },
      });
      response.writeHead(status, headers);
      if (body.length > 100_000)
        response.write(body.subarray(0, body.length / 2), () => (stopped = true));
      else response.end(body);
    })();
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  try {
    const { port } = front.address() as AddressInfo;
    await host.network.exposePort(port);
    await host.runOk(['rm', '-rf', '/var/lib/berth']);
    const earlier = await snapshotChanging(host);
    const enter = [`--target=${host.leader}`, ...'-m -u -i -n -p -C -r -w'.split(' '), '--'];
    const child = spawn(
      'nsenter',
      [
        ...enter,
        'node',
        '/opt/berth/dist/bin/berth.cjs',
        'install',
        `127.0.0.1:${port}/tiny:latest`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await waitUntil('the middle of the large layer', () => stopped && said.includes('Pulling'));
    const children = readFileSync(
      `/proc/${child.pid ?? 0}/task/${child.pid ?? 0}/children`,
      'utf8',
    );
    process.kill(Number(children.trim()), 'SIGINT'); // nsenter's only child is berth
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    assert.deepEqual([status ?? signal], [130], said);
    assert.match(said, /^berth: .*\n( {2}because: interrupted by SIGINT\n)?$/m);
    assert.match(said, /interrupted by SIGINT/);
    const left = compareSnapshots(earlier, await snapshotChanging(host));
    assert.deepEqual(left, ['+ /var/lib/berth: folder 0700 0:0']);
    const temporary = await host.sh(
      "find /var/lib/berth/.store -path '*tmp*' -mindepth 1 -type f -o -name '.berth-tmp-*' -type f",
    );
    assert.equal(temporary, '');
    assert.equal(await host.sh('ls -A /var/lib/berth/.journal 2>/dev/null || true'), '');
  } finally {
    front.closeAllConnections();
    front.close();
  }
});
