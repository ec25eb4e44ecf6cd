import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { assertOwnWay } from '../../../src/containers/own-places.js';
import { assertFails } from '../../support/assert-fails.js';
import { each } from '../../support/each.js';
import { TempDir } from '../../support/temp-dir.js';

each(
  'H02 a folder that a group may write, for the user',
  [
    { name: 'daemon, whose group has nobody else', uid: 1, gid: 1, isTaken: true },
    { name: 'sync, whose first group is that of others, too', uid: 4, gid: 65534, isTaken: false },
    { name: 'of a group that stands in no file', uid: 61_234, gid: 61_234, isTaken: false },
  ],
  async ({ uid, gid, isTaken }) => {
    using folder = new TempDir(tmpdir());
    chownSync(folder.path, uid, gid);
    chmodSync(folder.path, 0o775);
    const place = `${folder.path}/berth`;
    if (isTaken) assertOwnWay(place, { uid, gid });
    else
      await assertFails('HOST_PATH_REFUSED', () => {
        assertOwnWay(place, { uid, gid });
      });
    chmodSync(folder.path, 0o755);
    assert.doesNotThrow(() => {
      assertOwnWay(place, { uid, gid });
    });
  },
);
