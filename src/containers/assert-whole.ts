import { join } from 'node:path';

import { quote } from '../base/escape-text.js';
import { lstat } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Deployment } from './deployment.js';
import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import { withPinnedPath } from './pinned-directory.js';
import { isExecutable } from './place-launcher.js';

/**
 * Checks, before anything is stopped for it, that a deployment on disk has what switching to it needs: its root, its plan,
 * the launcher, and the files for the host as they were deployed.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID naming what is missing
 */
export async function assertDeploymentWhole(host: Host, deployment: Deployment): Promise<void> {
  const { name, number, launcher, files, rootfs, sealedRoot } = deployment;
  const folder = host.paths.onDisk(join(host.paths.stateDir, `${name}.${number}`));
  const damaged = (what: string): OperationalError =>
    new OperationalError('CONTAINER_STATE_INVALID', `deployment ${number} is not whole: ${what}`, {
      hint: `see 'berth history ${name}' for another one`,
    });
  if (rootfs === 'checkout' && !(await isThere(join(folder, 'rootfs'), 'directory')))
    throw damaged('its root is missing');
  if (rootfs !== 'checkout' && !(await isThere(host.paths.onDisk(rootfs), 'directory')))
    throw damaged(`its root ${quote(rootfs)} is missing`);
  if (sealedRoot !== undefined && !(await isThere(join(folder, sealedRoot.image), 'file')))
    throw damaged('the image of its root is missing');
  if (launcher !== undefined) {
    if (!(await isThere(join(folder, 'launch.plan'), 'file')))
      throw damaged('its launch plan is missing');
    if (!(await isExecutable(host.paths.onDisk(launcher))))
      throw damaged(`its launcher ${quote(launcher)} is missing`);
  }
  for (const file of files) {
    if (file.kind === 'directory') continue;
    const state = await withPinnedPath(folder, file.source, (path) =>
      compareFile(path, file),
    ).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return 'missing';
      throw error;
    });
    if (state !== 'same') throw damaged(`its ${quote(file.source)} is ${state}`);
  }
}

async function isThere(path: string, kind: 'file' | 'directory'): Promise<boolean> {
  try {
    const status = await lstat(path);
    return kind === 'file' ? status.isFile() && status.size > 0 : status.isDirectory();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
