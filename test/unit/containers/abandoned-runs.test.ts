import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { test } from 'node:test';

import { removeAbandonedRuns } from '../../../src/containers/abandoned-runs.js';
import { oneRunMark } from '../../../src/containers/one-run-marks.js';
import { planRecovery } from '../../../src/containers/plan-recovery.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

test('the mark of a run that ends while it is looked at is not made again', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  const mark = host.paths.onDisk(oneRunMark(host.paths, 'run-1'));
  mkdirSync(host.paths.onDisk(host.paths.journalDir), { recursive: true });
  // Fails where somebody else has made it.
  const runs = "fs.writeFileSync(data, '', { flag: 'wx' }); try { fs.unlinkSync(data); } catch {}";
  await doMeanwhile(runs, mark, async () => {
    for (let look = 0; look < 1000; look += 1) await planRecovery(host);
  });
  assert.ok(!existsSync(mark), 'the next command would uninstall what has that name by then');
  assert.deepEqual(await removeAbandonedRuns(host), { removed: [], failures: [] });
});
