import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { ownProgram } from '../../src/base/own-files.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { Puller } from '../support/pull-from.js';
import { pushImage } from '../support/push-image.js';
import { Workshop } from '../support/workshop.js';
import { buildTar } from '../support/tar-builder.js';

/** A small file system of its own in the folder of a workshop. */
function mountSmall(shop: Workshop, options: string): Disposable & { readonly path: string } {
  const path = shop.at('mnt');
  mkdirSync(path);
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'berth-test', path]).status, 0);
  return {
    path,
    [Symbol.dispose]: () => {
      spawnSync('umount', ['-l', path]);
    },
  };
}

function listFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** An image that is larger than the file system of {@link mountSmall}. */
function addLarge(shop: Workshop): string {
  const layer = gzipSync(buildTar([{ path: 'noise', content: randomBytes(6_000_000) }]));
  const config = shop.layout.add('application/vnd.oci.image.config.v1+json', {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const blob = shop.layout.add('application/vnd.oci.image.layer.v1.tar+gzip', layer);
  const manifest = { schemaVersion: 2, mediaType, config, layers: [blob] };
  const image = shop.layout.add(mediaType, manifest);
  shop.layout.finish([{ ...image, annotations: { 'org.opencontainers.image.ref.name': 'large' } }]);
  return `oci:${shop.layout.path}:large`;
}

const PLACES = [
  { name: 'oci', to: (folder: string) => `oci:${folder}/layout:x` },
  { name: 'oci-archive', to: (folder: string) => `oci-archive:${folder}/a.tar:x` },
  { name: 'docker-archive', to: (folder: string) => `docker-archive:${folder}/a.tar:x:1` },
  { name: 'dir', to: (folder: string) => `dir:${folder}/d` },
] as const;

each('F01 a disk that fills up leaves no part of a file', PLACES, async ({ to }) => {
  using shop = new Workshop();
  using disk = mountSmall(shop, 'size=4m');
  await using berth = new Puller();
  const large = addLarge(shop);
  const error = await assertFails('DISK_FULL', () => berth.copy(large, to(disk.path)));
  assert.match(JSON.stringify([error.message, String(error.cause)]), /mnt/);
  const whole = listFiles(disk.path).filter((path) => !/oci-layout$|\/[0-9a-f]{64}$/.test(path));
  assert.deepEqual(whole, [], 'something stands there by its name');
  assert.ok(
    listFiles(disk.path).every((path) => !path.includes('.berth-tmp-')),
    'half a file was left',
  );
});

test('F01 an image that was there before stays the one that is named', async () => {
  using shop = new Workshop();
  using disk = mountSmall(shop, 'size=4m');
  await using berth = new Puller();
  const layout = `oci:${disk.path}/layout`;
  await berth.copy(shop.source, `${layout}:one`);
  const index = readFileSync(join(disk.path, 'layout/index.json'));
  const large = addLarge(shop);
  await assertFails('DISK_FULL', () => berth.copy(large, `${layout}:one`));
  assert.deepEqual(readFileSync(join(disk.path, 'layout/index.json')), index);
  assert.equal((await berth.pull(`${layout}:one`)).digest, shop.digest);
});

each('F07 a place that is read-only is named', PLACES, async ({ to }) => {
  using shop = new Workshop();
  using disk = mountSmall(shop, 'ro,size=4m');
  await using berth = new Puller();
  const error = await assertFails('DESTINATION_UNWRITABLE', () =>
    berth.copy(shop.source, to(disk.path)),
  );
  assert.match(JSON.stringify([error.message, String(error.cause)]), /mnt/);
});

test('copying onto itself changes nothing that an image needs', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  const { copiedBlobs } = await berth.copy(shop.source, shop.source);
  assert.equal(copiedBlobs, 0);
  assert.equal((await berth.pull(shop.source)).digest, shop.digest);
});

test('F13 Ctrl-C in the middle leaves a layout as it was, and no part of a file', async () => {
  using shop = new Workshop();
  await using registry = await FakeRegistry.start();
  await using berth = new Puller();
  const layer = gzipSync(buildTar([{ path: 'noise', content: randomBytes(300_000) }]));
  const target = { origin: registry.origin, repository: 'one' };
  await pushImage(target, 'latest', { layers: [{ content: layer }] });
  const layout = shop.at('layout');
  await berth.copy(shop.source, `oci:${layout}:one`);
  const before = listFiles(layout).map((path) => [path, readFileSync(path, 'hex')]);
  const program = ownProgram();
  // Slow enough to be in the middle when the file that is being written is seen.
  const child = spawn(
    process.execPath,
    [
      ...[program, 'copy', '--max-rate', '40k', `docker://${registry.host}/one`],
      `oci:${layout}:one`,
    ],
    { stdio: 'ignore' },
  );
  const ended = once(child, 'exit');
  while (listFiles(layout).length <= before.length && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill('SIGINT');
  const [status] = (await ended) as [number];
  assert.equal(status, 130);
  const after = listFiles(layout).map((path) => [path, readFileSync(path, 'hex')]);
  const added = after.filter(([path]) => !before.some(([known]) => known === path));
  for (const [path = ''] of added) assert.match(path, /\/blobs\/sha256\/[0-9a-f]{64}$/);
  assert.deepEqual(
    after.filter(([path]) => before.some(([known]) => known === path)),
    before,
  );
});

test('control: a writer that writes in place leaves half a file on a full disk', () => {
  using shop = new Workshop();
  using disk = mountSmall(shop, 'size=4m');
  assert.throws(() => {
    writeFileSync(join(disk.path, 'blob'), randomBytes(6_000_000));
  }, /ENOSPC/);
  assert.deepEqual(listFiles(disk.path), [join(disk.path, 'blob')]);
});
