import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { ownProgram } from '../../src/base/own-files.js';
import { BerthInTree } from '../support/berth-in-tree.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { forPath, only } from '../support/misbehaviours.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';
import { waitUntil } from '../support/wait-until.js';

const PROGRAM = ownProgram();
const SENT = 2_000_000;

const layer = gzipSync(buildTar([{ path: 'file', content: randomBytes(3_000_000) }]), { level: 0 });
const forLayer = forPath(sha256(layer));

each(
  'F12 F13 a pull that is interrupted in the middle of a blob is gone on with by the next one',
  [
    {
      name: 'by Ctrl-C',
      signal: 'SIGINT',
      says: /interrupted by SIGINT.*what came is kept/,
      next: ['pull'],
    },
    { name: 'by SIGKILL', signal: 'SIGKILL', says: /^/, next: ['pull'] },
    {
      name: 'by Ctrl-C, and install comes next',
      signal: 'SIGINT',
      says: /./,
      next: ['install', '--name', 'web'],
    },
  ] as const,
  async ({ signal, says, next }) => {
    using tree = new BerthInTree();
    await using registry = await FakeRegistry.start();
    await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
      architecture: 'amd64',
      process: { Cmd: ['/file'] },
      layers: [{ content: layer }],
    });
    let stop: () => void = () => undefined;
    const stops = new Promise<void>((resolve) => (stop = resolve));
    registry.interfere(
      only(
        forLayer,
        (_, response) => {
          response.writeHead(200, { 'content-length': String(layer.length) });
          response.write(layer.subarray(0, SENT), stop);
          return true;
        },
        1,
      ),
    );
    const reference = `${registry.host}/etcd:1`;
    const first = spawn(process.execPath, [PROGRAM, '--root', tree.path, 'pull', reference], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    first.stderr.on('data', (data: Buffer) => (words += data.toString()));
    await stops;
    const partial = `${tree.path}/var/lib/berth/.store/partial`;
    await waitUntil('what was sent in the file of the process', () => {
      const names = existsSync(partial) ? readdirSync(partial) : [];
      const sizes = names.map((name) => statSync(`${partial}/${name}`).size);
      return sizes.some((size) => size >= SENT - 512 * 1024);
    });
    first.kill(signal);
    await once(first, 'close');
    assert.match(words.split('\n').join(' '), says);
    assert.deepEqual(JSON.parse(await tree.runOk('--json', 'images', 'list')), []);

    registry.seen.length = 0;
    const result = await tree.run(...next, reference);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /going on with/i);
    const asked = registry.seen.filter(({ url }) => url.includes(sha256(layer)));
    const [range = 'none', ...others] = asked.map(({ headers }) => headers.range);
    assert.deepEqual(others, []);
    const at = Number(/^bytes=(\d+)-/.exec(range)?.[1]);
    assert.ok(at >= SENT - 512 * 1024, `it went on at ${at}, and ${SENT} were sent`);
    assert.deepEqual(readdirSync(partial), []);
    assert.match(await tree.runOk('fsck'), /sound/);
  },
);

test('what a lost network leaves of a pull is no image, and goes when images are pruned', async () => {
  using tree = new BerthInTree();
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  registry.interfere(
    only(forLayer, (request, response) => {
      if (request.headers.range !== undefined) {
        response.writeHead(401).end();
        return true;
      }
      response.writeHead(200, { 'content-length': String(layer.length) });
      response.write(layer.subarray(0, SENT), () => response.socket?.destroy());
      return true;
    }),
  );
  const result = await tree.run('pull', `${registry.host}/etcd:1`);
  assert.equal(result.status, 77);
  const folder = `${tree.path}/var/lib/berth/.store/partial`;
  assert.equal(readdirSync(folder).length, 1);
  assert.match(await tree.runOk('fsck'), /sound/);
  await tree.runOk('images', 'prune');
  assert.ok(!existsSync(folder) || readdirSync(folder).length === 0, 'pruning left it');
});
