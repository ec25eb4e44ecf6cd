import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { formatDeployment, type Deployment } from '../../../src/containers/deployment.js';
import { imagesInUse } from '../../../src/containers/images-in-use.js';
import { beginJournal } from '../../../src/containers/journal.js';
import { sideOf } from '../../../src/containers/transition.js';
import { parseDigest, type Digest } from '../../../src/oci/digest.js';
import { assertFails } from '../../support/assert-fails.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

function digest(digit: string): Digest {
  return parseDigest(`sha256:${digit.repeat(64)}`);
}

function record(number: number, digit: string): Deployment {
  const image = { reference: 'web', storeName: 'web', digest: digest(digit) };
  return deploymentRecord({ name: 'web', number, image });
}

test('imagesInUse() has those of every deployment on disk, and those of a change under way', async () => {
  using dir = new TempDir();
  await using host = folderHost(dir.path);
  assert.deepEqual(await imagesInUse(host), new Set());
  const state = `${dir.path}/var/lib/berth`;
  for (const [number, digit] of ['a', 'b'].entries()) {
    mkdirSync(`${state}/web.${number}`, { recursive: true });
    writeFileSync(
      `${state}/web.${number}/deployment.json`,
      formatDeployment(record(number, digit)),
    );
  }
  symlinkSync('web.1', `${state}/web`);
  await beginJournal(host.paths, {
    operation: 'update',
    name: 'web',
    transitions: [
      {
        name: 'web',
        from: sideOf(record(1, 'b'), []),
        to: sideOf(record(2, 'c'), []),
        builds: true,
        starts: false,
        dependents: [],
        rejected: undefined,
      },
    ],
    purge: false,
    keep: 2,
    watch: true,
  });
  assert.deepEqual(await imagesInUse(host), new Set([digest('a'), digest('b'), digest('c')]));
  writeFileSync(`${state}/web.0/deployment.json`, '{');
  await assertFails('CONTAINER_STATE_INVALID', () => imagesInUse(host));
});
