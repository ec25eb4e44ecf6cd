import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { layoutLayer } from '../support/layout.js';
import { Puller } from '../support/pull-from.js';
import { sha256 } from '../support/push-image.js';
import { Workshop } from '../support/workshop.js';

/*
 * A folder from a stranger: a stick that was found, an archive that was unpacked. Whoever reads it is root, so that its links
 * reach every file of the host.
 */

const layer = `blobs/sha256/${sha256(layoutLayer).slice('sha256:'.length)}`;

/** A device that never ends, in place of a file. */
function replaceByDevice(path: string): void {
  rmSync(path);
  assert.equal(spawnSync('mknod', [path, 'c', '1', '5']).status, 0);
}

function replaceByFifo(path: string): void {
  rmSync(path);
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
}

/** The right bytes, but those of a file of the host. */
function replaceByLinkOut(shop: Workshop, path: string): void {
  renameSync(path, shop.at('secret'));
  symlinkSync(shop.at('secret'), path);
}

each(
  'a layout is refused',
  [
    {
      name: 'T04 its list is a link to a file of the host',
      harm: (shop: Workshop, at: string) => {
        replaceByLinkOut(shop, join(at, 'index.json'));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T04 a blob is a link to a file of the host',
      harm: (shop: Workshop, at: string) => {
        replaceByLinkOut(shop, join(at, layer));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T06 its blobs are a link to a folder of the host',
      harm: (shop: Workshop, at: string) => {
        renameSync(join(at, 'blobs'), shop.at('elsewhere'));
        symlinkSync(shop.at('elsewhere'), join(at, 'blobs'));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T06 a blob is a link to a folder whose name begins with that of its own',
      harm: (_shop: Workshop, at: string) => {
        mkdirSync(`${at}-2`);
        renameSync(join(at, layer), `${at}-2/layer`);
        symlinkSync(`${at}-2/layer`, join(at, layer));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T26 a blob is a FIFO',
      harm: (_shop: Workshop, at: string) => {
        replaceByFifo(join(at, layer));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T26 its list is a FIFO',
      harm: (_shop: Workshop, at: string) => {
        replaceByFifo(join(at, 'index.json'));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'T24 a blob is a device that never ends',
      harm: (_shop: Workshop, at: string) => {
        replaceByDevice(join(at, layer));
      },
      code: 'CONTENT_MISMATCH',
    },
    {
      name: 'R05 its list has a tebibyte',
      harm: (_shop: Workshop, at: string) => {
        truncateSync(join(at, 'index.json'), 2 ** 40);
      },
      code: 'LIMIT_EXCEEDED',
    },
    {
      name: 'R05 a manifest has a tebibyte',
      harm: (shop: Workshop) => {
        truncateSync(shop.layout.blobPath(shop.digest), 2 ** 40);
      },
      code: 'LIMIT_EXCEEDED',
    },
    {
      name: 'R53 a digest is a path',
      harm: (_shop: Workshop, at: string) => {
        const list = readFileSync(join(at, 'index.json'), 'utf8');
        writeFileSync(
          join(at, 'index.json'),
          list.replace(/sha256:[0-9a-f]{64}/, 'sha256:../../../../../../etc/passwd'),
        );
      },
      code: 'MANIFEST_INVALID',
    },
    {
      name: 'R53 an algorithm is a path',
      harm: (_shop: Workshop, at: string) => {
        const list = readFileSync(join(at, 'index.json'), 'utf8');
        writeFileSync(
          join(at, 'index.json'),
          list.replace(/sha256:([0-9a-f]{64})/, '../../sha256:$1'),
        );
      },
      code: 'MANIFEST_INVALID',
    },
  ] as const,
  async ({ harm, code }) => {
    using shop = new Workshop();
    await using berth = new Puller();
    harm(shop, shop.layout.path);
    try {
      await assertFails(code, () => berth.pull(shop.source));
    } finally {
      rmSync(`${shop.layout.path}-2`, { recursive: true, force: true });
    }
    const stored = berth.listStored().filter((name) => !/\/(?:format|lock)$/.test(name));
    assert.deepEqual(stored, [], 'something entered the store');
  },
);

each(
  'a dir: is refused',
  [
    {
      name: 'T04 its manifest is a link to a file of the host',
      harm: (shop: Workshop, at: string) => {
        replaceByLinkOut(shop, join(at, 'manifest.json'));
      },
    },
    {
      name: 'T04 a blob is a link to a file of the host',
      harm: (shop: Workshop, at: string) => {
        replaceByLinkOut(shop, join(at, sha256(layoutLayer).slice('sha256:'.length)));
      },
    },
    {
      name: 'T26 a blob is a FIFO',
      harm: (_shop: Workshop, at: string) => {
        replaceByFifo(join(at, sha256(layoutLayer).slice('sha256:'.length)));
      },
    },
  ],
  async ({ harm }) => {
    using shop = new Workshop();
    await using berth = new Puller();
    await berth.copy(shop.source, `dir:${shop.at('d')}`);
    harm(shop, shop.at('d'));
    await assertFails('CONTENT_MISMATCH', () => berth.pull(`dir:${shop.at('d')}`));
  },
);

test('links inside a folder, and hard links, are files like others', async () => {
  using shop = new Workshop();
  await using berth = new Puller();
  const at = shop.layout.path;
  mkdirSync(join(at, 'pool'));
  renameSync(join(at, layer), join(at, 'pool/layer'));
  symlinkSync('../../pool/layer', join(at, layer));
  linkSync(join(at, 'index.json'), shop.at('index'));
  symlinkSync(at, shop.at('stick'));
  const { digest } = await berth.pull(`oci:${shop.at('stick')}:v1`);
  assert.equal(digest, shop.digest);
});

test('control: a reader that opens what a digest names reads files of the host, T04', () => {
  using shop = new Workshop();
  const path = join(shop.layout.path, layer);
  writeFileSync(shop.at('secret'), 'of the host');
  rmSync(path);
  symlinkSync(shop.at('secret'), path);
  assert.equal(readFileSync(path, 'utf8'), 'of the host');
});
