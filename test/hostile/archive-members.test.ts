import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { Puller } from '../support/pull-from.js';
import { runCommand } from '../support/run-command.js';
import { buildTar, sha256, type TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { rawFrame, zstd } from '../support/zstd-frames.js';

const layer = buildTar([{ path: 'etc/etcd', content: 'configuration' }]);
const otherLayer = buildTar([{ path: 'etc/etcd', content: 'something else' }]);
const config = Buffer.from(
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
  }),
);

/** manifest.json of `docker save`. */
const list = (...images: readonly object[]): TarItem => ({
  path: 'manifest.json',
  content: JSON.stringify(images),
});
const image = { Config: 'config.json', RepoTags: ['etcd:1'], Layers: ['layer.tar'] };
const good: readonly TarItem[] = [
  { path: 'config.json', content: config },
  { path: 'layer.tar', content: layer },
  list(image),
];

const without = (path: string): readonly TarItem[] => good.filter((item) => item.path !== path);

async function pull(archive: Uint8Array): Promise<string> {
  using folder = new TempDir();
  const path = join(folder.path, 'a.tar');
  writeFileSync(path, archive);
  await using puller = new Puller();
  await puller.store.listImages();
  try {
    return (await puller.pull(`docker-archive:${path}`)).config.diffIds.join();
  } catch (error) {
    const kept = puller.listStored().filter((file) => !/\/(?:format|lock)$|^a\.tar$/.test(file));
    assert.deepEqual(kept, [], 'something of a refused image stayed');
    throw error;
  }
}

each(
  'a docker-archive is taken',
  [
    { name: 'as docker writes it', items: good },
    { name: 'with its list first', items: [...good].reverse() },
    {
      name: 'with ./ before its names',
      items: good.map((item) => ({ ...item, path: `./${item.path.toString()}` })),
    },
    {
      name: 'with a link to a layer, as docker makes of equal ones',
      items: [
        ...without('layer.tar'),
        { path: 'one/layer.tar', content: layer },
        { path: 'two/layer.tar', type: 'symlink', link: '../one/layer.tar' },
        { path: 'layer.tar', type: 'hardlink', link: 'two/layer.tar' },
      ],
    },
    {
      name: 'with a compressed layer',
      items: [...without('layer.tar'), { path: 'layer.tar', content: gzipSync(layer) }],
    },
  ] as { name: string; items: readonly TarItem[] }[],
  async ({ items }) => {
    assert.equal(await pull(buildTar(items)), sha256(layer));
  },
);

const whole = buildTar(good);
const REFUSED: readonly { name: string; archive: Uint8Array; code: ErrorCode }[] = [
  { name: 'nothing', archive: Buffer.alloc(0), code: 'LAYER_ARCHIVE_INVALID' },
  { name: 'noise', archive: Buffer.alloc(2048, 'noise'), code: 'LAYER_ARCHIVE_INVALID' },
  {
    name: 'T60 an end in a member',
    archive: whole.subarray(0, 2000),
    code: 'LAYER_ARCHIVE_INVALID',
  },
  {
    name: 'T60 an end in a header',
    archive: whole.subarray(0, 1200),
    code: 'LAYER_ARCHIVE_INVALID',
  },
  {
    name: 'T60 gzip that ends early',
    archive: gzipSync(whole).subarray(0, -20),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R32 zstd that ends early',
    archive: zstd(whole).subarray(0, -20),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'R31 zstd with a giant window',
    archive: rawFrame([whole], { fields: [21 << 3] }),
    code: 'LAYER_LIMIT_EXCEEDED',
  },
  {
    name: 'R35 gzip with something behind it',
    archive: Buffer.concat([gzipSync(whole), Buffer.from('junk')]),
    code: 'LAYER_COMPRESSION_INVALID',
  },
  {
    name: 'an archive without a list',
    archive: buildTar(without('manifest.json')),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'an archive without its layer',
    archive: buildTar(without('layer.tar')),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'T49 a list that stands twice',
    archive: buildTar([...good, list({ ...image, Layers: [] })]),
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R01 another layer than the configuration names',
    archive: buildTar([...without('layer.tar'), { path: 'layer.tar', content: otherLayer }]),
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R01 another compressed layer than its name says',
    archive: buildTar([
      { path: 'config.json', content: config },
      { path: `blobs/sha256/${'a'.repeat(64)}`, content: gzipSync(layer) },
      list({ ...image, Layers: [`blobs/sha256/${'a'.repeat(64)}`] }),
    ]),
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'M15 more layers than diff ids',
    archive: buildTar([
      ...without('manifest.json'),
      list({ ...image, Layers: ['layer.tar', 'layer.tar'] }),
    ]),
    code: 'MANIFEST_INVALID',
  },
  {
    name: 'R53 a configuration outside',
    archive: buildTar([...good.slice(0, 2), list({ ...image, Config: '../../../../etc/passwd' })]),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'T04 a configuration that is a link to a file of the host',
    archive: buildTar([
      ...without('config.json'),
      { path: 'config.json', type: 'symlink', link: '/etc/passwd' },
    ]),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'T06 a layer that is a link up and out',
    archive: buildTar([
      ...without('layer.tar'),
      { path: 'layer.tar', type: 'symlink', link: '../../../../../etc/passwd' },
    ]),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'a link to itself',
    archive: buildTar([
      ...without('layer.tar'),
      { path: 'layer.tar', type: 'symlink', link: 'layer.tar' },
    ]),
    code: 'IMAGE_NOT_FOUND',
  },
  {
    name: 'T26 a list that is a FIFO',
    archive: buildTar([...without('manifest.json'), { path: 'manifest.json', type: 'fifo' }]),
    code: 'CONTENT_MISMATCH',
  },
  {
    name: 'R05 a list of 5 MiB',
    archive: buildTar([
      ...without('manifest.json'),
      { path: 'manifest.json', content: Buffer.alloc(5 << 20, ' ') },
    ]),
    code: 'LIMIT_EXCEEDED',
  },
  {
    name: 'R06 a configuration of 20 MiB',
    archive: buildTar([
      ...without('config.json'),
      { path: 'config.json', content: Buffer.alloc(20 << 20, ' ') },
    ]),
    code: 'LIMIT_EXCEEDED',
  },
  {
    name: 'M04 a list with a key twice',
    archive: buildTar([
      ...without('manifest.json'),
      {
        path: 'manifest.json',
        content: '[{"Config":"a","Config":"config.json","Layers":["layer.tar"]}]',
      },
    ]),
    code: 'JSON_INVALID',
  },
  {
    name: 'a list that is none',
    archive: buildTar([...without('manifest.json'), { path: 'manifest.json', content: '{}' }]),
    code: 'MANIFEST_INVALID',
  },
];

each('a docker-archive is refused', REFUSED, async ({ archive, code }) => {
  await assertFails(code, () => pull(archive));
});

test('T40 a member that claims eight exabytes costs nothing', async () => {
  const archive = buildTar([{ path: 'big', content: '', claimedSize: 8_000_000_000 }, ...good]);
  await assertFails('LAYER_ARCHIVE_INVALID', () => pull(archive));
});

each(
  'R29 a compressed archive that grows a thousandfold is refused',
  [
    { name: 'gzip', bomb: gzipSync(Buffer.alloc(60_000_000), { level: 9 }) },
    { name: 'zstd', bomb: zstd(Buffer.alloc(60_000_000)) },
  ],
  async ({ bomb }) => {
    await assertFails('LIMIT_EXCEEDED', () => pull(bomb));
  },
);

test('control: unpacking it and reading what its list names leaves the archive', async () => {
  using folder = new TempDir();
  const archive = REFUSED.find(({ name }) => name.startsWith('T04'))?.archive ?? Buffer.alloc(0);
  const path = join(folder.path, 'a.tar');
  const target = join(folder.path, 'out');
  mkdirSync(target);
  writeFileSync(path, archive);
  await runCommand(['tar', '-xf', path, '-C', target]);
  const naive = readFileSync(join(target, 'config.json'), 'utf8');
  assert.match(naive, /^root:/m, 'this case proves nothing');
});
