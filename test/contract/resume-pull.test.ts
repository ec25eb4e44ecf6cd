import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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
const SENT_AT_ONCE = 500_000;
const SENT_THEN = 8192;

/** What comes in this time of the first byte is not kept. */
const TOO_EARLY_MS = 2000;

const layer = gzipSync(buildTar([{ path: 'file', content: randomBytes(3_000_000) }]), { level: 0 });
const forLayer = forPath(sha256(layer));

const partialFolder = ({ path }: BerthInTree): string => `${path}/var/lib/berth/.store/partial`;

/** What a pull leaves that broke off before anything of the layer was kept. */
function leaveSign(partial: string): void {
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  writeFileSync(`${partial}/${sha256(layer).replace(':', '-')}`, '');
}

each(
  'F12 F13 a pull that is interrupted in the middle of a blob is gone on with by the next one',
  [
    {
      name: 'by Ctrl-C',
      signal: 'SIGINT',
      says: /interrupted by SIGINT.*[\d.]+ MB of what came are kept/,
      next: ['pull'],
      brokeOff: false,
    },
    {
      name: 'by SIGKILL, after one that broke off at once',
      signal: 'SIGKILL',
      says: /^/,
      next: ['pull'],
      brokeOff: true,
    },
    {
      name: 'by Ctrl-C, after one that broke off at once, and install comes next',
      signal: 'SIGINT',
      says: /[12]\.\d MB of what came are kept/,
      next: ['install', '--name', 'web'],
      brokeOff: true,
    },
  ] as const,
  async ({ signal, says, next, brokeOff }) => {
    using tree = new BerthInTree();
    const partial = partialFolder(tree);
    if (brokeOff) leaveSign(partial);
    const keptBytes = (): number => {
      const names = existsSync(partial) ? readdirSync(partial) : [];
      return names.reduce((sum, name) => sum + statSync(`${partial}/${name}`).size, 0);
    };
    let from = brokeOff ? 0 : SENT_AT_ONCE;
    await using registry = await FakeRegistry.start();
    await pushImage({ origin: registry.origin, repository: 'etcd' }, '1', {
      architecture: 'amd64',
      process: { Cmd: ['/file'] },
      layers: [{ content: layer }],
    });
    let waitedMs = 0;
    let stop: () => void = () => undefined;
    const stops = new Promise<void>((resolve) => (stop = resolve));
    registry.interfere(
      only(
        forLayer,
        async (_, response) => {
          response.writeHead(200, { 'content-length': String(layer.length) });
          response.write(layer.subarray(0, SENT_AT_ONCE));
          const sentAtMs = performance.now();
          while (!brokeOff && keptBytes() === 0 && !response.destroyed) {
            await sleep(50);
            response.write(layer.subarray(from, from + SENT_THEN));
            from += SENT_THEN;
          }
          waitedMs = performance.now() - sentAtMs;
          response.write(layer.subarray(Math.max(from, SENT_AT_ONCE), SENT), stop);
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
    if (!brokeOff) assert.ok(waitedMs >= TOO_EARLY_MS, `something was kept after ${waitedMs} ms`);
    const least = SENT - from - 512 * 1024;
    await waitUntil('what was sent in the file of the process', () => keptBytes() >= least);
    first.kill(signal);
    await once(first, 'close');
    assert.match(words.split('\n').join(' '), says);
    assert.deepEqual(JSON.parse(await tree.runOk('--json', 'images', 'list')), []);

    registry.seen.length = 0;
    const result = await tree.run(...next, reference);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /going on with/i);
    const asked = registry.seen.filter(({ url }) => url.includes(sha256(layer)));
    const ranges = asked.map(({ headers }) => headers.range);
    if (!brokeOff) assert.equal(ranges.shift(), undefined, 'what came first is not asked for');
    const [range = 'none', ...others] = ranges;
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
  const folder = partialFolder(tree);
  leaveSign(folder);
  const result = await tree.run('pull', `${registry.host}/etcd:1`);
  assert.equal(result.status, 77);
  const [name = '', ...others] = readdirSync(folder);
  assert.deepEqual(others, []);
  assert.ok(statSync(`${folder}/${name}`).size > 1_000_000, 'nothing was left');
  assert.match(await tree.runOk('fsck'), /sound/);
  await tree.runOk('images', 'prune');
  assert.ok(!existsSync(folder) || readdirSync(folder).length === 0, 'pruning left it');
});
