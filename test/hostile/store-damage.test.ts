import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import type { ImageStore, StoredImage } from '../../src/store/image-store.js';
import { decodeLayer, encodeLayer } from '../../src/store/layer-file.js';
import { createMemoryLayerSink } from '../../src/store/memory-layer.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { feedLayer, storeLayer } from '../support/feed-layer.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';

interface Place {
  readonly store: ImageStore;
  readonly image: StoredImage;
  readonly path: string;
  readonly out: string;
}

const layer = buildLayer([
  { path: 'etc/' },
  { path: 'etc/passwd', content: 'root:x', mtime: 3 },
  { path: 'large', content: Buffer.alloc(100_000, 'y') },
  { path: 'link', type: 'symlink', link: 'x' },
]);

async function withImage(body: (place: Place) => Promise<void>): Promise<void> {
  using dir = new TempDir();
  const path = `${dir.path}/store`;
  await using store = openEmbeddedStore(path);
  const diffId = await storeLayer(store, layer);
  const image = await store.addImage(storedImageOf([diffId], ['image']));
  const out = `${dir.path}/out`;
  mkdirSync(out);
  await store.checkout(await store.openTree(image), out);
  await body({ store, image, path, out });
}

function objects(path: string): string[] {
  return readdirSync(`${path}/objects`).flatMap((folder) =>
    readdirSync(`${path}/objects/${folder}`).map((name) => `${path}/objects/${folder}/${name}`),
  );
}

function onlyFile(folder: string): string {
  const [name = assert.fail('nothing there')] = readdirSync(folder);
  return `${folder}/${name}`;
}

each(
  'F44 fsck finds',
  [
    {
      name: 'content changed through a checkout',
      damage: (out: string) => {
        appendFileSync(`${out}/etc/passwd`, 'evil');
      },
    },
    {
      name: 'a mode changed through a checkout',
      damage: (out: string) => {
        chmodSync(`${out}/etc/passwd`, 0o666);
      },
    },
    {
      name: 'a time changed through a checkout',
      damage: (out: string) => {
        utimesSync(`${out}/etc/passwd`, 1, 1);
      },
    },
    {
      name: 'one bit',
      damage: (out: string) => {
        flipBit(`${out}/large`, 50_000);
      },
    },
  ],
  async ({ damage }) => {
    await withImage(async ({ store, out }) => {
      assert.deepEqual((await store.fsck()).problems, []);
      damage(out);
      const { problems } = await store.fsck();
      assert.deepEqual(
        problems.map(({ kind }) => kind),
        ['object'],
      );
    });
  },
);

/** Changes one bit and nothing that stat shows. */
function flipBit(path: string, at: number): void {
  const { mtime, atime } = lstatSync(path);
  const content = readFileSync(path);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(path, content, { flag: 'r+' });
  utimesSync(path, atime, mtime);
}

test('F06 a damaged object is not read', async () => {
  await withImage(async ({ store, image, out }) => {
    flipBit(`${out}/large`, 10);
    const tree = await store.openTree(image);
    const node = tree.root.entries.get('large');
    assert.ok(node?.kind === 'file');
    await assertFails('STORE_INVALID', () => tree.readFile(node, { maxBytes: 1_000_000 }));
  });
});

test('a missing object is named by fsck, reading and checkout', async () => {
  await withImage(async ({ store, image, path }) => {
    for (const object of objects(path)) rmSync(object);
    const tree = await store.openTree(image);
    mkdirSync(`${path}/../again`);
    await assertFails('STORE_INVALID', () => store.checkout(tree, `${path}/../again`));
    const node = tree.root.entries.get('large');
    assert.ok(node?.kind === 'file');
    await assertFails('STORE_INVALID', () => tree.readFile(node, { maxBytes: 1_000_000 }));
    const { problems } = await store.fsck();
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['layer', 'layer'],
    );
  });
});

test('a foreign file among the objects is named by fsck', async () => {
  await withImage(async ({ store, path }) => {
    writeFileSync(`${path}/objects/00/README`, 'hello');
    assert.deepEqual(
      (await store.fsck()).problems.map(({ id }) => id),
      ['00/README'],
    );
  });
});

test('a damaged layer counts as missing, and taking it in again repairs it', async () => {
  await withImage(async ({ store, path }) => {
    const record = onlyFile(`${path}/layers`);
    const diffId = parseDigest(layer.diffId);
    const sound = readFileSync(record);
    for (const bytes of [
      Buffer.alloc(0),
      sound.subarray(0, 40),
      sound.subarray(0, -1),
      Buffer.alloc(500),
    ]) {
      writeFileSync(record, bytes);
      assert.equal(await store.hasLayer(diffId), false);
    }
    assert.deepEqual(
      (await store.fsck()).problems.map(({ kind }) => kind),
      ['layer', 'image'],
    );
    await storeLayer(store, layer);
    assert.deepEqual((await store.fsck()).problems, []);
  });
});

test('one damaged image does not hide the others', async () => {
  await withImage(async ({ store, path }) => {
    const second = await storeLayer(store, [{ path: 'x', content: 'x' }]);
    await store.addImage(storedImageOf([second], ['second']));
    const first = onlyFile(`${path}/images`);
    for (const text of [
      '',
      '{',
      '{"format":1}',
      '[]',
      readFileSync(first, 'utf8').replace('"manifest":"', '"manifest":"AAAA'),
    ]) {
      writeFileSync(first, text);
      const damaged: string[] = [];
      const images = await store.listImages({ onDamaged: (digest) => damaged.push(digest) });
      assert.deepEqual([images.length, damaged.length], [1, 1]);
    }
  });
});

each(
  'F46 what a newer berth wrote is refused',
  [
    { name: 'the store', file: () => 'format', text: 'berth-store 2\n' },
    {
      name: 'an image',
      file: (path: string) => `images/${readdirSync(`${path}/images`)[0] ?? ''}`,
      text: '{"format":2}',
    },
    {
      name: 'a name',
      file: (path: string) => `names/${readdirSync(`${path}/names`)[0] ?? ''}`,
      text: '{"format":2}',
    },
    {
      name: 'a layer',
      file: (path: string) => `layers/${readdirSync(`${path}/layers`)[0] ?? ''}`,
      text: `berth-layer\n\x02${'x'.repeat(100)}`,
    },
  ],
  async ({ name, file, text }) => {
    await withImage(async ({ path, image }) => {
      writeFileSync(`${path}/${file(path)}`, text);
      await using store = openEmbeddedStore(path);
      await assertFails('STORE_FORMAT', async () =>
        name === 'a layer'
          ? store.openTree(image)
          : store.findImage(name === 'an image' ? image.digest : 'image'),
      );
    });
  },
);

test('a folder that is no store is refused', async () => {
  await withImage(async ({ path }) => {
    for (const text of ['', 'something else 1\n', 'berth-store x\n', 'berth-store\n']) {
      writeFileSync(`${path}/format`, text);
      await using store = openEmbeddedStore(path);
      await assertFails('STORE_INVALID', () => store.listImages());
    }
  });
});

test('no change of a byte in the record of a layer passes, and none makes it throw anything else', async () => {
  const memory = createMemoryLayerSink({ keep: () => false, maxKeptBytes: 0 });
  await feedLayer(memory.sink, layer);
  const sound = encodeLayer(memory.finish().tree);
  decodeLayer(sound, 'sound');
  for (let at = 0; at < sound.length; at += 1) {
    const changed = Buffer.from(sound);
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    // The format's own byte is the one that may look like a newer berth.
    const code = at === 'berth-layer\n'.length ? 'STORE_FORMAT' : 'STORE_INVALID';
    await assertFails(code, () => decodeLayer(changed, 'changed'));
    await assertFails('STORE_INVALID', () => decodeLayer(sound.subarray(0, at), 'cut'));
  }
});
