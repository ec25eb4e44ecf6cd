import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { checkRoom } from '../../../src/images/check-room.js';
import { executePull } from '../../../src/images/execute-pull.js';
import { openEmbeddedStore } from '../../../src/store/embedded/embedded-store.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { FakeRegistry } from '../../support/fake-registry.js';
import { Puller } from '../../support/pull-from.js';
import { pushImage } from '../../support/push-image.js';
import { runOk } from '../../support/run-command.js';
import { buildTar } from '../../support/tar-builder.js';
import { TempDir } from '../../support/temp-dir.js';

const layer = (seed: number, bytes = 100_000): Buffer => {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) content[at] = (seed = (seed * 48_271) % 0x7fff_ffff) & 0xff;
  return gzipSync(buildTar([{ path: `file${seed}`, content }]));
};
const SHARED = layer(1);
const OWN = layer(2);

async function serve(): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const push = (tag: string, ...blobs: readonly Buffer[]): Promise<unknown> =>
    pushImage({ origin: registry.origin, repository: 'web' }, tag, {
      architecture: 'amd64',
      layers: blobs.map((content) => ({ content })),
    });
  await push('base', SHARED);
  await push('1', SHARED, OWN, OWN);
  return registry;
}

each(
  'checkRoom() counts each layer that is missing once, and none that is there',
  [
    {
      name: 'room for all but a byte',
      present: false,
      room: SHARED.length + OWN.length - 1,
      fits: false,
    },
    { name: 'room for all', present: false, room: SHARED.length + OWN.length, fits: true },
    { name: 'room for what is missing', present: true, room: OWN.length, fits: true },
    { name: 'room for less', present: true, room: OWN.length - 1, fits: false },
    { name: 'nobody knows how much', present: false, room: undefined, fits: true },
  ],
  async ({ present, room, fits }) => {
    await using registry = await serve();
    await using puller = new Puller();
    if (present) await puller.pull(`${registry.host}/web:base`);
    const plan = await puller.prepare(`${registry.host}/web:1`);
    const check = (): Promise<void> =>
      checkRoom(plan, { store: puller.store, findRoom: () => room });
    if (fits) await check();
    else {
      const { message, hint } = await assertFails('DISK_FULL', check);
      assert.match(message, /web:1' needs more than \d+ kB for (?:a layer|2 layers), and where '/);
      assert.match(message, /' is \d+ kB are free$/);
      assert.match(hint ?? '', /berth images prune.*BERTH_CHECK_SPACE=false/);
    }
  },
);

test('checkRoom() only warns where a version before may have most of the files', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  await puller.pull(`${registry.host}/web:1`);
  await pushImage({ origin: registry.origin, repository: 'web' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer(3) }],
  });
  const warnings: string[] = [];
  await checkRoom(await puller.prepare(`${registry.host}/web:1`), {
    store: puller.store,
    findRoom: () => 0,
    onWarning: (text) => warnings.push(text),
  });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /0 B are free: it fits only if it has most files of the version/);
});

test('a pull that does not fit asks for no layer, makes no store, and can be had all the same', async () => {
  await using registry = await serve();
  await using puller = new Puller();
  using disk = new TempDir();
  await runOk(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'full', disk.path]);
  try {
    await using store = openEmbeddedStore(`${disk.path}/deep/store`);
    const plan = await puller.prepare(`${registry.host}/web:1`);
    await using source = await puller.open(`${registry.host}/web:1`);
    const { signal } = new AbortController();
    const before = registry.blobRequests.length;
    await assertFails('DISK_FULL', () => executePull(plan, { store, source, signal }));
    assert.equal(registry.blobRequests.length, before, 'something was fetched');
    assert.equal(await runOk(['find', disk.path, '-mindepth', '1']), '');
    // Told not to look, it finds out by itself.
    const unchecked = { store, source, signal, checkSpace: false };
    const error = await assertFails('DISK_FULL', () => executePull(plan, unchecked));
    assert.match(error.message, /layer \d of 3 failed|no space/);
    assert.ok(registry.blobRequests.length > before);
  } finally {
    await runOk(['umount', disk.path]);
  }
});
