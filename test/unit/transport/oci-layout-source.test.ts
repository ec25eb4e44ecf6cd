import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertFails } from '../../support/assert-fails.js';
import { Layout, layoutLayer } from '../../support/layout.js';
import { Puller } from '../../support/pull-from.js';
import { sha256 } from '../../support/push-image.js';

test('a layout installs with no network', async () => {
  using layout = new Layout();
  const image = layout.addImage('3.5');
  layout.finish([image]);
  await using puller = new Puller();
  for (const name of [`oci:${layout.path}`, `oci:${layout.path}:3.5`]) {
    const stored = await puller.pull(name);
    assert.equal(stored.digest, image.digest);
    assert.ok(stored.names.includes(name));
  }
  assert.equal((await puller.prepare(`oci:${layout.path}:3.5`)).alreadyPresent, true);
});

test('a layout of one image for several platforms gives the one that fits', async () => {
  using layout = new Layout();
  const mine = layout.addImage();
  layout.finish([layout.addImage(undefined, 's390x'), mine]);
  await using puller = new Puller();
  assert.equal((await puller.prepare(`oci:${layout.path}`)).digest, mine.digest);
});

test('a layout of several images asks for a name, and says which there are', async () => {
  using layout = new Layout();
  layout.finish([layout.addImage('one'), layout.addImage('two')]);
  await using puller = new Puller();
  const error = await assertFails('IMAGE_NOT_FOUND', () => puller.prepare(`oci:${layout.path}`));
  assert.match(error.hint ?? '', /:one, oci:.*:two/);
  await assertFails('IMAGE_NOT_FOUND', () => puller.prepare(`oci:${layout.path}:three`));
  await puller.prepare(`oci:${layout.path}:two`);
});

test('a layout whose blobs are damaged, missing or no files is refused', async () => {
  await using puller = new Puller();
  const rows: readonly (readonly [string, string, (path: string) => void])[] = [
    [
      'damaged',
      'CONTENT_MISMATCH',
      (path) => {
        writeFileSync(path, Buffer.alloc(layoutLayer.length));
      },
    ],
    [
      'short',
      'CONTENT_TRUNCATED',
      (path) => {
        writeFileSync(path, layoutLayer.subarray(1));
      },
    ],
    [
      'long',
      'CONTENT_MISMATCH',
      (path) => {
        writeFileSync(path, Buffer.concat([layoutLayer, layoutLayer]));
      },
    ],
    [
      'missing',
      'IMAGE_NOT_FOUND',
      (path) => {
        rmSync(path);
      },
    ],
    [
      'a device',
      'CONTENT_MISMATCH',
      (path) => {
        rmSync(path);
        symlinkSync('/dev/zero', path);
      },
    ],
    [
      'a folder',
      'CONTENT_MISMATCH',
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
    [
      'a circle',
      'IMAGE_NOT_FOUND',
      (path) => {
        rmSync(path);
        symlinkSync(path, path);
      },
    ],
  ];
  for (const [, code, damage] of rows) {
    using layout = new Layout();
    layout.finish([layout.addImage('a')]);
    damage(layout.blobPath(sha256(layoutLayer)));
    await assertFails(code as 'CONTENT_MISMATCH', () => puller.pull(`oci:${layout.path}:a`));
  }
  assert.deepEqual(await puller.store.listImages(), []);
});

test('a folder that is no layout is refused', async () => {
  await using puller = new Puller();
  using layout = new Layout();
  const name = `oci:${layout.path}`;
  await assertFails('IMAGE_NOT_FOUND', () => puller.prepare(`${name}/none`));
  await assertFails('IMAGE_NOT_FOUND', () => puller.prepare(name));
  layout.finish([]);
  await assertFails('IMAGE_NOT_FOUND', () => puller.prepare(name));
  writeFileSync(
    join(layout.path, 'index.json'),
    JSON.stringify({ schemaVersion: 2, layers: [], config: {} }),
  );
  await assertFails('MANIFEST_INVALID', () => puller.prepare(name));
  writeFileSync(join(layout.path, 'index.json'), Buffer.alloc(5 << 20, 32));
  await assertFails('LIMIT_EXCEEDED', () => puller.prepare(name));
  writeFileSync(join(layout.path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
  await assertFails('MANIFEST_INVALID', () => puller.prepare(name));
});
