import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findMissingParents } from '../../../src/containers/safe-parents.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { pathsInFolder } from '../../support/host-tree-paths.js';
import { TempDir } from '../../support/temp-dir.js';

test('findMissingParents() may meet another container that brings the same folder', async () => {
  using dir = new TempDir();
  const paths = pathsInFolder(dir.path);
  const comeAndGo = 'fs.mkdirSync(data); fs.rmdirSync(data);';
  const seen = new Set<string>();
  await doMeanwhile(comeAndGo, `${dir.path}/shared`, async () => {
    for (let look = 0; look < 3000; look += 1)
      seen.add((await findMissingParents(paths, '/shared/file')).join());
  });
  assert.deepEqual([...seen].sort(), ['', '/shared']);
});
