import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { formatDeployment } from '../../../src/containers/deployment.js';
import { repairHost } from '../../../src/containers/repair-host.js';
import type { ImageStore, StoredImage } from '../../../src/store/image-store.js';
import { deploymentRecord } from '../../support/deployment-record.js';
import { folderHost } from '../../support/folder-host.js';
import { TempDir } from '../../support/temp-dir.js';

/** A store that does not have the image of any deployment when it is first asked for it; `found` is called when it has. */
function storeThatFinds(found: () => void): ImageStore {
  let looks = 0;
  const asked: Partial<ImageStore> = {
    fsck: () => Promise.resolve({ checkedObjects: 0, problems: [] }),
    findImage: () => {
      looks += 1;
      if (looks !== 2) return Promise.resolve(undefined);
      found();
      return Promise.resolve({} as StoredImage);
    },
    openTree: () => Promise.resolve({} as Awaited<ReturnType<ImageStore['openTree']>>),
    mendCheckout: (_, directory) =>
      new Promise((resolve) => {
        resolve({ mended: readdirSync(directory).map((name) => `/${name}`), left: [] });
      }),
  };
  return asked as ImageStore;
}

for (const [what, gone, want] of [
  ['what is uninstalled while everything is mended is passed over', 'web.0', /^$/],
  [
    'a root that is missing is told, and keeps nothing else from being mended',
    'web.0/rootfs',
    /^web\.0: its files cannot be mended: .*rootfs': no such file or folder$/,
  ],
] as const) {
  test(`repairHost(): ${what}`, async () => {
    using dir = new TempDir();
    await using folder = folderHost(dir.path);
    const state = folder.paths.onDisk(folder.paths.stateDir);
    mkdirSync(join(state, 'web.0/rootfs/usr'), { recursive: true });
    const record = formatDeployment(deploymentRecord({ name: 'web' }));
    writeFileSync(join(state, 'web.0/deployment.json'), record);
    const store = storeThatFinds(() => {
      rmSync(join(state, gone), { recursive: true });
    });
    const host = { ...folder, openStore: () => Promise.resolve(store) };
    const { found, mended, reasons } = await repairHost(host, { onProgress: () => undefined });
    assert.equal(found.checkouts.length, 1);
    assert.deepEqual(mended, []);
    assert.match(reasons.join('\n'), want);
  });
}
