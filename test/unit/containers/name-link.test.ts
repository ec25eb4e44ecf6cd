import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';

import { pointNameTo } from '../../../src/containers/name-link.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

test('pointNameTo() that cannot rename leaves no link beside', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  const state = `${dir.path}/var/lib/berth`;
  mkdirSync(`${state}/etcd/in-the-way`, { recursive: true });
  await assert.rejects(pointNameTo(host, 'etcd', 'etcd.0'), { code: 'EISDIR' });
  assert.deepEqual(readdirSync(state), ['etcd']);
  await pointNameTo(host, 'flanneld', 'flanneld.1');
  await pointNameTo(host, 'flanneld', 'flanneld.0');
  assert.equal(readlinkSync(`${state}/flanneld`), 'flanneld.0');
});
