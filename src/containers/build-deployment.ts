import { mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder } from '../base/atomic-file.js';
import { syncFileSystemOf } from '../sys/sync.js';
import { formatDeployment } from './deployment.js';
import type { Host } from './host.js';
import type { PreparedDeployment } from './prepare-deployment.js';
import { removePath } from './remove-path.js';

/** What of a prepared deployment its directory is made from; without a tree, its root is elsewhere. */
export interface DeploymentToBuild extends Pick<
  PreparedDeployment,
  'deployment' | 'mountPoints' | 'contents'
> {
  readonly tree: PreparedDeployment['tree'] | undefined;
}

/**
 * Makes the directory of a prepared deployment: built beside as `.new-NAME.N`, synced, then renamed to `NAME.N`, which
 * must not be there. When it returns, a power cut keeps it; nothing refers to it yet.
 */
export async function buildDeployment(host: Host, prepared: DeploymentToBuild): Promise<void> {
  const { deployment } = prepared;
  const state = host.paths.onDisk(host.paths.stateDir);
  const final = join(state, `${deployment.name}.${deployment.number}`);
  const building = join(state, `.new-${deployment.name}.${deployment.number}`);
  removePath(building);
  await mkdir(building, { mode: 0o700 });
  if (prepared.tree !== undefined) {
    const rootfs = join(building, 'rootfs');
    await mkdir(rootfs, { mode: 0o755 });
    const store = await host.openStore();
    await store.checkout(prepared.tree, rootfs, {
      signal: host.signal,
      mountPoints: prepared.mountPoints,
      devices: true,
    });
  }
  for (const [name, { content, mtimeMs }] of prepared.contents) {
    const path = join(building, name);
    await makeFolders(dirname(path), 0o700);
    await writeFile(path, content, { mode: 0o600, flag: 'wx' });
    if (mtimeMs !== undefined) await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
  }
  await writeFile(join(building, 'deployment.json'), formatDeployment(deployment), {
    mode: 0o600,
    flag: 'wx',
  });
  host.signal.throwIfAborted();
  await syncFileSystemOf(building);
  await rename(building, final);
  await syncFolder(state);
}
