import { dirname, join } from 'node:path';

import { makeFolders } from '../base/make-folders.js';
import { syncFolder } from '../base/atomic-file.js';
import { mkdir, rename, utimes, writeFile } from '../base/quick-files.js';
import { LAUNCH_PLAN_FILE } from '../runtime/built-in-runtime.js';
import { syncFileSystemOf } from '../sys/sync.js';
import { formatDeployment } from './deployment.js';
import type { Host } from './host.js';
import type { PreparedDeployment } from './prepared-deployment.js';
import { removePath } from './remove-path.js';
import { sealRoot, type RootSealed } from './sealed-root.js';

/** What of a prepared deployment its directory is made from; without a tree, its root is elsewhere. */
export interface DeploymentToBuild extends Pick<
  PreparedDeployment,
  'deployment' | 'mountPoints' | 'contents' | 'sealing'
> {
  readonly tree: PreparedDeployment['tree'] | undefined;
}

/**
 * Makes the directory of a prepared deployment: built beside as `.new-NAME.N`, synced, then renamed to `NAME.N`, which
 * must not be there. When it returns, a power cut keeps it; nothing refers to it yet.
 */
export async function buildDeployment(host: Host, prepared: DeploymentToBuild): Promise<void> {
  let { deployment } = prepared;
  const contents = new Map(prepared.contents);
  const state = host.paths.onDisk(host.paths.stateDir);
  const final = join(state, `${deployment.name}.${deployment.number}`);
  const building = join(state, `.new-${deployment.name}.${deployment.number}`);
  removePath(building);
  await mkdir(building, { mode: 0o700 });
  if (prepared.tree !== undefined) {
    const rootfs = join(building, 'rootfs');
    await mkdir(rootfs, { mode: 0o755 });
    (await host.openLabels())?.labelContent(rootfs);
    const store = await host.openStore();
    await store.checkout(prepared.tree, rootfs, {
      signal: host.signal,
      mountPoints: prepared.mountPoints,
      devices: true,
    });
    const sealed = await sealedRootOf(host, { ...prepared, tree: prepared.tree }, building);
    if (sealed !== undefined) {
      deployment = { ...deployment, sealedRoot: sealed.record };
      contents.set(LAUNCH_PLAN_FILE, { content: sealed.plan });
    }
  }
  for (const [name, { content, mtimeMs }] of contents) {
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

async function sealedRootOf(
  host: Host,
  prepared: DeploymentToBuild & Pick<PreparedDeployment, 'tree'>,
  folder: string,
): Promise<RootSealed | undefined> {
  const { sealing, contents, deployment, tree, mountPoints } = prepared;
  const plan = contents.get(LAUNCH_PLAN_FILE)?.content;
  if (sealing === undefined || plan === undefined || deployment.launcher === undefined)
    return undefined;
  return sealRoot(host, {
    name: deployment.name,
    sealing,
    tree,
    mountPoints,
    plan: Buffer.from(plan),
    launcher: deployment.launcher,
    folder,
  });
}
