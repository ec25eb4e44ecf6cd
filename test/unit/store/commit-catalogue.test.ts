import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createRepo, setRef, type Checksum } from '../../../ostree-adapter/index.js';
import { CommitCatalogue } from '../../../src/store/ostree/commit-catalogue.js';
import { doMeanwhile } from '../../support/do-meanwhile.js';
import { TempDir } from '../../support/temp-dir.js';

test('CommitCatalogue lists the refs that are there while others come and go', async () => {
  using dir = new TempDir();
  using repo = createRepo({ path: `${dir.path}/repo`, mode: 'archive' });
  const checksum = 'a'.repeat(64) as Checksum;
  for (const ref of ['ociimage/here', 'other/here']) await setRef(repo, { ref, checksum });
  const catalogue = new CommitCatalogue(() => repo);
  // As libostree writes one and removes it.
  const others = `
    fs.linkSync(data.folder + '/here', data.folder + '/tmp.Ab3XyZ');
    fs.renameSync(data.folder + '/tmp.Ab3XyZ', data.folder + '/other');
    fs.unlinkSync(data.folder + '/other');`;
  const folder = `${dir.path}/repo/refs/heads/ociimage`;
  const seen = new Set<string>();
  // eslint-disable-next-line @typescript-eslint/require-await -- looks at once
  await doMeanwhile(others, { folder }, async () => {
    for (let look = 0; look < 5000; look += 1) for (const [ref] of catalogue.refs()) seen.add(ref);
  });
  assert.deepEqual([...seen].sort(), ['ociimage/here', 'ociimage/other']);
});
