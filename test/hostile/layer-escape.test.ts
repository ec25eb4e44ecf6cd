import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import type { Digest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { openOstreeStore } from '../../src/store/ostree/ostree-store.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { listTree } from '../support/list-tree.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildTar, type TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { naiveExtract } from './naive-extract.js';

/** `outside` is the path of a folder beside the checkout, with the file `victim` in it. */
interface EscapeCase {
  readonly name: string;
  readonly layers: (outside: string) => readonly (readonly TarItem[])[];
  /** Refused with this code; undefined: accepted and contained. */
  readonly code?: ErrorCode;
}

const STORES = [
  { kind: 'embedded', open: openEmbeddedStore },
  { kind: 'ostree', open: openOstreeStore },
];

const CASES: readonly EscapeCase[] = [
  {
    name: "T01 a name with '..'",
    layers: () => [[{ path: '../outside/victim', content: 'evil' }]],
    code: 'LAYER_PATH_ESCAPE',
  },
  {
    name: "T01 a name with '..' in the middle",
    layers: () => [[{ path: 'a/../../outside/victim', content: 'evil' }]],
    code: 'LAYER_PATH_ESCAPE',
  },
  {
    name: 'T02 an absolute name',
    layers: (outside) => [[{ path: `${outside}/victim`, content: 'evil' }]],
  },
  {
    name: 'T04 an entry through an absolute link',
    layers: (outside) => [
      [
        { path: 'l', type: 'symlink', link: outside },
        { path: 'l/victim', content: 'evil' },
      ],
    ],
  },
  {
    name: 'T05 an entry through a link of a lower layer (containerd CVE-2025-47290)',
    layers: (outside) => [
      [{ path: 'l', type: 'symlink', link: outside }],
      [{ path: 'l/victim', content: 'evil' }],
    ],
  },
  {
    name: 'T05 an entry through a folder that a lower layer had and a link replaced',
    layers: (outside) => [
      [{ path: 'l/' }, { path: 'l/x', content: '' }],
      [
        { path: 'l/y', content: '' },
        { path: 'l', type: 'symlink', link: outside },
        { path: 'l/victim', content: 'evil' },
      ],
    ],
  },
  {
    name: 'T06 an entry through a relative link up and out',
    layers: () => [
      [
        { path: 'l', type: 'symlink', link: '../outside' },
        { path: 'l/victim', content: 'evil' },
      ],
    ],
  },
  {
    name: 'T06 a file over a link to the outside',
    layers: (outside) => [
      [
        { path: 'l', type: 'symlink', link: `${outside}/victim` },
        { path: 'l', content: 'evil' },
      ],
    ],
  },
  {
    name: 'T11 a hard link to an absolute path, written through',
    layers: (outside) => [
      [
        { path: 'h', type: 'hardlink', link: `${outside}/victim` },
        { path: 'h', content: 'evil' },
      ],
    ],
    code: 'LAYER_PATH_ESCAPE',
  },
  {
    name: "T12 a hard link to a path with '..', written through",
    layers: () => [
      [
        { path: 'h', type: 'hardlink', link: '../outside/victim' },
        { path: 'h', content: 'evil' },
      ],
    ],
    code: 'LAYER_PATH_ESCAPE',
  },
  {
    name: 'T12 a hard link through a link of a lower layer, written through',
    layers: (outside) => [
      [{ path: 'l', type: 'symlink', link: outside }],
      [
        { path: 'h', type: 'hardlink', link: 'l/victim' },
        { path: 'h', content: 'evil' },
      ],
    ],
  },
  {
    name: 'T15 the mode of a directory over a link',
    layers: (outside) => [
      [
        { path: 'l', type: 'symlink', link: outside },
        { path: 'l/', type: 'directory', mode: 0o777 },
      ],
    ],
  },
  {
    name: "T52 a whiteout with '..'",
    layers: () => [[{ path: '../outside/.wh.victim' }]],
    code: 'LAYER_PATH_ESCAPE',
  },
  {
    name: 'T53 a whiteout through a link of a lower layer',
    layers: (outside) => [
      [{ path: 'l', type: 'symlink', link: outside }],
      [{ path: 'l/.wh.victim' }],
    ],
  },
  {
    name: 'T53 an opaque directory through a link of a lower layer',
    layers: (outside) => [
      [{ path: 'l', type: 'symlink', link: outside }],
      [{ path: 'l/.wh..wh..opq' }],
    ],
  },
];

function withOutside(body: (dir: string, outside: string) => Promise<void>): Promise<void> {
  const dir = new TempDir();
  const outside = `${dir.path}/outside`;
  mkdirSync(outside, { mode: 0o750 });
  writeFileSync(`${outside}/victim`, 'host file', { mode: 0o640 });
  return body(dir.path, outside).finally(() => {
    dir[Symbol.dispose]();
  });
}

for (const { kind, open } of STORES) {
  each(`a layer does not reach outside, ${kind}`, CASES, ({ layers, code }) =>
    withOutside(async (dir, outside) => {
      const before = listTree(outside);
      await using store = open(`${dir}/store`);
      const attempt = async (): Promise<void> => {
        const diffIds: Digest[] = [];
        for (const layer of layers(outside)) diffIds.push(await storeLayer(store, layer));
        const image = await store.addImage(storedImageOf(diffIds, ['hostile']));
        mkdirSync(`${dir}/out`, { mode: 0o700 });
        await store.checkout(await store.openTree(image), `${dir}/out`);
      };
      if (code === undefined) await tolerating('LAYER_ENTRY_REFUSED', attempt);
      else {
        await assertFails(code, attempt);
        assert.deepEqual(await store.listImages(), [], 'a refused image is in the store');
      }
      assert.deepEqual(listTree(outside), before, 'host file was changed: path escape');
    }),
  );

  each(
    `T09 the root of an image is a directory, ${kind}`,
    [
      { name: "'.' as a link", path: '.', type: 'symlink' },
      { name: "'/' as a link", path: '/', type: 'symlink' },
      { name: "'./.' as a link", path: './.', type: 'symlink' },
      { name: "'.' as a file", path: '.', type: 'file' },
      { name: "'.' as a hard link", path: '.', type: 'hardlink' },
    ],
    ({ path, type }) =>
      withOutside(async (dir, outside) => {
        await using store = open(`${dir}/store`);
        const items = [
          { path, type, link: outside },
          { path: 'victim', content: 'evil' },
        ];
        await assertFails('LAYER_ENTRY_REFUSED', () => storeLayer(store, items));
      }),
  );

  test(`T72 the mode and owner of the root are the image’s, and it can be removed, ${kind}`, () =>
    withOutside(async (dir) => {
      await using store = open(`${dir}/store`);
      const diffId = await storeLayer(store, [
        { path: './', mode: 0, uid: 1000 },
        { path: 'x/', mode: 0o111 },
        { path: 'x/y', content: 'z' },
      ]);
      const image = await store.addImage(storedImageOf([diffId], ['x']));
      mkdirSync(`${dir}/out`);
      await store.checkout(await store.openTree(image), `${dir}/out`);
      const { mode, uid } = statSync(`${dir}/out`);
      assert.deepEqual([mode & 0o7777, uid], [0, 1000]);
    }));
}

each('control: a naive unpacker does', CASES, ({ layers }) =>
  withOutside(async (dir, outside) => {
    const before = listTree(outside);
    mkdirSync(`${dir}/out`);
    for (const layer of layers(outside)) naiveExtract(buildTar(layer), `${dir}/out`);
    assert.notDeepEqual(listTree(outside), before, 'this case proves nothing');
    await Promise.resolve();
  }),
);

/** A hard link to what the image lacks may be refused; everything else must work. */
async function tolerating(code: ErrorCode, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, code);
  }
}

test('T20 T27 nobody but the owner can enter the store', () =>
  withOutside(async (dir) => {
    await using store = openEmbeddedStore(`${dir}/store`);
    await storeLayer(store, [{ path: 'su', content: 'x', mode: 0o4755 }]);
    for (const folder of ['', '/objects', '/layers', '/tmp', '/images', '/names']) {
      assert.equal(statSync(`${dir}/store${folder}`).mode & 0o777, 0o700, `store${folder}`);
    }
  }));

test('T20 T27 nobody but the owner can enter a repository that berth makes', () =>
  withOutside(async (dir) => {
    await using store = openOstreeStore(`${dir}/store`);
    await storeLayer(store, [{ path: 'su', content: 'x', mode: 0o4755 }]);
    for (const folder of ['', '/tmp/berth'])
      assert.equal(statSync(`${dir}/store${folder}`).mode & 0o777, 0o700, `store${folder}`);
  }));
