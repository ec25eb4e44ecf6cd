import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { changeSettings, readSettings } from '../../../src/containers/container-settings.js';
import { parseDigest } from '../../../src/oci/digest.js';
import { assertFails } from '../../support/assert-fails.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

const digest = (digit: string) => parseDigest(`sha256:${digit.repeat(64)}`);

test('settings are kept, and their file goes with the last of them', async () => {
  using dir = new TempDir();
  const { paths } = folderHost(dir.path);
  const rejected = [{ digest: digest('b'), reason: 'it did not start', at: '' }];
  await changeSettings(paths, 'etcd', { pinned: [3] });
  await changeSettings(paths, 'etcd', { rejected });
  assert.deepEqual(await readSettings(paths, 'etcd'), {
    pinned: [3],
    rejected,
    order: [],
    updatePolicy: {},
  });
  assert.deepEqual((await readSettings(paths, 'other')).pinned, []);

  await changeSettings(paths, 'etcd', { pinned: [], rejected: [] });
  assert.equal(existsSync(paths.onDisk(`${paths.settingsDir}/etcd.json`)), false);
});

test('what the timer holds is kept until it is nothing any more', async () => {
  using dir = new TempDir();
  const { paths } = folderHost(dir.path);
  const held = {
    from: digest('a'),
    reference: 'r/etcd:2',
    digest: digest('b'),
    asks: ['capability CAP_KILL'],
    at: '',
  };
  await changeSettings(paths, 'etcd', { held });
  assert.deepEqual((await readSettings(paths, 'etcd')).held, held);
  await changeSettings(paths, 'etcd', { held: undefined });
  assert.equal(existsSync(paths.onDisk(`${paths.settingsDir}/etcd.json`)), false);
});

test('the latest rejected images are remembered, the oldest forgotten', async () => {
  using dir = new TempDir();
  const { paths } = folderHost(dir.path);
  const rejected = Array.from({ length: 130 }, (_, index) => ({
    digest: digest((index % 10).toString()),
    reason: index.toString(),
    at: '',
  }));
  await changeSettings(paths, 'etcd', { rejected });
  const kept = (await readSettings(paths, 'etcd')).rejected;
  assert.equal(kept.length, 100);
  assert.equal(kept.at(-1)?.reason, '129');
});

test('damaged settings, and those of a newer berth, are told', async () => {
  using dir = new TempDir();
  const { paths } = folderHost(dir.path);
  mkdirSync(paths.onDisk(paths.settingsDir), { recursive: true });
  const file = paths.onDisk(`${paths.settingsDir}/etcd.json`);
  writeFileSync(file, '{"format": 1, "pinned": ["x"]}');
  await assertFails('CONTAINER_STATE_INVALID', () => readSettings(paths, 'etcd'));
  writeFileSync(file, '{"format": 9}');
  await assertFails('STORE_FORMAT', () => readSettings(paths, 'etcd'));
});
