import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';

import { parseDigest } from '../../src/oci/digest.js';
import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { feedLayer, storeLayer } from '../support/feed-layer.js';
import { listTree } from '../support/list-tree.js';
import { storedImageOf } from '../support/stored-image.js';
import { buildLayer } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { seededRandom } from '../torture/seeded-random.js';

/** Flips of one run; BERTH_TEST_FLIPS asks for more. */
const FLIPS = Number(process.env['BERTH_TEST_FLIPS'] ?? 400);

const layer = buildLayer(
  Array.from({ length: 30 }, (_, number) => ({
    path: `folder${number % 3}/file${number}`,
    content: Buffer.alloc(1 + number * 100, `content of ${number} `),
    mtime: number * 1000,
  })),
);

test(`F44 each of ${FLIPS} damages at random is found, and repaired, and nothing else is`, async () => {
  const seed = Number(process.env['BERTH_TEST_SEED'] ?? Date.now() % 1_000_000);
  const numbers = seededRandom(seed);
  const random = (below: number): number => Math.floor(numbers() * below);
  using dir = new TempDir();
  const root = `${dir.path}/store`;
  await using store = openEmbeddedStore(root);
  const diffId = await storeLayer(store, layer);
  const image = await store.addImage(storedImageOf([diffId], ['image']));
  const tree = await store.openTree(image);
  const checkouts = ['one', 'two'].map((name) => `${dir.path}/${name}`);
  for (const path of checkouts) {
    mkdirSync(path);
    await store.checkout(tree, path);
  }
  const facts = (): unknown[] =>
    checkouts.flatMap((path) =>
      [...listTree(path)].map(([name, entry]) => [name, { ...entry, ino: 0 }]),
    );
  const sound = facts();
  const objects = readdirSync(`${root}/objects`).flatMap((folder) =>
    readdirSync(`${root}/objects/${folder}`).map((name) => `${folder}/${name}`),
  );
  for (let flip = 0; flip < FLIPS; flip += 1) {
    const hint = `seed ${seed}, flip ${flip}`;
    assert.deepEqual((await store.fsck()).problems, [], `false alarm: ${hint}`);
    const id = objects[random(objects.length)] ?? '';
    damage(`${root}/objects/${id}`, random);
    const { problems } = await store.fsck();
    assert.deepEqual(
      problems.map((problem) => problem.id),
      [id],
      `not found, or something else was: ${hint}`,
    );
    await using transaction = await store.beginLayer(parseDigest(layer.diffId), {
      replace: new Set(problems.map((problem) => problem.id)),
    });
    await feedLayer(transaction.sink, layer);
    await transaction.commit();
    for (const path of checkouts) {
      const { mended } = await store.mendCheckout(tree, path);
      assert.equal(mended.length, 1, hint);
    }
    assert.deepEqual(facts(), sound, `a checkout is not what it was: ${hint}`);
  }
});

/** Changes one bit of the content, of the mode or of the time; content without a trace in what stat shows. */
function damage(path: string, random: (below: number) => number): void {
  const { mtime, atime, mode, size } = lstatSync(path);
  switch (random(8)) {
    case 0:
      chmodSync(path, (mode & 0o7777) ^ (1 << random(9)));
      return;
    case 1:
      utimesSync(path, atime, new Date(mtime.getTime() + 1000 * (1 + random(100_000))));
      return;
    default: {
      const content = readFileSync(path);
      const at = random(size);
      content[at] = (content[at] ?? 0) ^ (1 << random(8));
      writeFileSync(path, content, { flag: 'r+' });
      utimesSync(path, atime, mtime);
    }
  }
}
