import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';

import { askHttp } from '../support/ask-http.js';
import { type BootedHost, bootHost } from '../support/booted-host.js';
import { pushExports } from '../support/exports-image.js';
import { snapshotChanging } from '../support/refused.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots } from '../support/tree-snapshot.js';

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

test('F13 an interrupted pull ends with 130 and leaves nothing but finished layers', async () => {
  // A registry in front of the real one, whose second blob never ends.
  const front = createServer((request, response) => {
    void (async () => {
      const { status, headers, body } = await askHttp(`${registry.origin}${request.url ?? ''}`, {
        method: request.method ?? 'GET',
        headers: { accept: request.headers.accept ?? '*/*' },
      });
      response.writeHead(status, headers);
      if (body.length > 100_000) response.write(body.subarray(0, body.length / 2));
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
      [...enter, 'node', '/opt/berth/dist/src/main.js', 'install', `127.0.0.1:${port}/tiny:latest`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes('Pulling')) await once(child.stderr, 'data');
    await new Promise((resolve) => setTimeout(resolve, 700));
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
