import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { assertMapped, resolveExecUser } from '../../../src/containers/exec-user.js';
import { assertFails } from '../../support/assert-fails.js';
import { TempDir } from '../../support/temp-dir.js';

test('resolveExecUser() takes numbers, and names of the container’s own files', async () => {
  const files = { passwd: 'web:x:33:34::/srv:/bin/sh\n', group: 'log:x:4:web\n' };
  assert.deepEqual(resolveExecUser('web', files), { uid: 33, gid: 34, groups: [4], home: '/srv' });
  assert.deepEqual(resolveExecUser('1:log', files), {
    uid: 1,
    gid: 4,
    groups: [],
    home: undefined,
  });
  for (const text of ['nobody', 'web:', '1:2:3', '4294967295', '-1'])
    await assertFails('USAGE', () => resolveExecUser(text, files));
});

test('assertMapped() knows who is in a user namespace', async () => {
  using folder = new TempDir();
  writeFileSync(`${folder.path}/uid_map`, '         0       1000          1\n  10 100010 5\n');
  writeFileSync(`${folder.path}/gid_map`, '         0       1000          1\n');
  const user = { uid: 0, gid: 0, groups: [], home: undefined };
  assertMapped(folder.path, user);
  assertMapped(folder.path, { ...user, uid: 14 });
  for (const other of [{ uid: 1 }, { uid: 15 }, { gid: 1 }, { groups: [5] }])
    await assertFails('USAGE', () => {
      assertMapped(folder.path, { ...user, ...other });
    });
});
