import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statfsSync, statSync, truncateSync } from 'node:fs';
import { test } from 'node:test';

import { openEmbeddedStore } from '../../src/store/embedded/embedded-store.js';
import { each } from '../support/each.js';
import { storeLayer } from '../support/feed-layer.js';
import { runOk } from '../support/run-command.js';
import { storedImageOf } from '../support/stored-image.js';
import type { TarItem } from '../support/tar-builder.js';
import { TempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

/** Small ones, ones that other threads write, and one that comes in many pieces. */
const SIZES = [
  ...Array.from({ length: 40 }, () => 20_000),
  ...Array.from({ length: 10 }, () => 400_000),
  9_000_000,
];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);
const contents = SIZES.map((size) => randomBytes(size));

/** A base, and the same built again. */
const base = (mtime: number): readonly TarItem[] =>
  contents.map((content, at) => ({ path: `file${at}`, content, mtime }));

/** A disk of its own, as large as the smallest of its kind. */
class Disk implements AsyncDisposable {
  readonly #folder = new TempDir();
  readonly path = `${this.#folder.path}/mounted`;

  async mount(kind: string): Promise<void> {
    mkdirSync(this.path);
    if (kind === 'tmpfs') {
      await runOk(['mount', '-t', 'tmpfs', '-o', 'size=200m', 'shared-blocks', this.path]);
      return;
    }
    const image = `${this.#folder.path}/image`;
    await runOk(['truncate', '--size=400M', image]);
    await runOk([`mkfs.${kind}`, '-q', '-K', image]);
    await runOk(['mount', '-o', 'loop', image, this.path]);
  }

  /** What is taken of it, in bytes, once it is written. */
  async used(): Promise<number> {
    await runOk(['sync', '--file-system', this.path]);
    const { blocks, bfree, bsize } = statfsSync(this.path);
    return (blocks - bfree) * bsize;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runOk(['umount', this.path]);
    this.#folder[Symbol.dispose]();
  }
}

const kinds = [
  { name: 'XFS shares', kind: 'xfs', least: 0, share: 0.02 },
  { name: 'btrfs shares', kind: 'btrfs', least: 0, share: 0.02 },
  { name: 'a tmpfs cannot, and has them twice', kind: 'tmpfs', least: 1, share: 1.05 },
];

each('a base built again takes the room of its inodes', kinds, async ({ kind, least, share }) => {
  await using disk = new Disk();
  await disk.mount(kind);
  await using store = openEmbeddedStore(`${disk.path}/store`);
  await storeLayer(store, base(1_000));
  const before = await disk.used();
  const diffId = await storeLayer(store, base(2_000));
  // XFS takes the blocks of what was unlinked back when it comes to it.
  await waitUntil(
    'the room of what was unlinked',
    async () => {
      const grew = (await disk.used()) - before;
      assert.ok(grew <= TOTAL * share + 300_000, `${grew} bytes of ${TOTAL}`);
      assert.ok(grew >= TOTAL * least, `${grew} bytes of ${TOTAL}`);
      return true;
    },
    { timeoutMs: 10_000, everyMs: 100 },
  );
  assert.deepEqual((await store.fsck()).problems, []);
  const image = await store.addImage(storedImageOf([diffId], ['image']));
  const out = `${disk.path}/out`;
  mkdirSync(out);
  await store.checkout(await store.openTree(image), out);
  for (const [at, content] of contents.entries()) {
    assert.equal(statSync(`${out}/file${at}`).mtimeMs, 2_000_000);
    assert.ok(readFileSync(`${out}/file${at}`).equals(content), `file${at} has other content`);
  }
});

test('blocks are shared with nothing that lost its end, and what is there stays as it was', async () => {
  await using disk = new Disk();
  await disk.mount('xfs');
  await using store = openEmbeddedStore(`${disk.path}/store`);
  await storeLayer(store, base(1_000));
  const objects = `${disk.path}/store/objects`;
  const files = readdirSync(objects).flatMap((folder) =>
    readdirSync(`${objects}/${folder}`).map((name) => `${objects}/${folder}/${name}`),
  );
  for (const file of files) truncateSync(file, 100);
  const diffId = await storeLayer(store, base(2_000));
  const report = await store.fsck();
  assert.equal(report.problems.length, SIZES.length, 'only those that were cut off');
  assert.ok(report.problems.every(({ layers }) => !layers.includes(diffId)));
});
