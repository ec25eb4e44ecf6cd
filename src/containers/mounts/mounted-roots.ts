import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../../base/make-folders.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { tryLock } from '../../sys/lock-file.js';
import { readMountTable } from '../../sys/mount-table.js';
import type { Deployment } from '../deployment.js';
import type { Host } from '../host.js';
import { removePath } from '../remove-path.js';

/** The root of a deployment as a path to open. */
export function deploymentRoot(host: Host, deployment: Deployment): string {
  const { paths } = host;
  const { name, number, rootfs } = deployment;
  const root = rootfs === 'checkout' ? join(paths.stateDir, `${name}.${number}`, 'rootfs') : rootfs;
  return paths.onDisk(root);
}

/**
 * Runs `body` as the only one who makes and removes checkouts for mounts; what is left of earlier ones is removed first.
 *
 * @throws {@link OperationalError} BUSY if another holds it
 */
export async function withMountsLock<T>(host: Host, body: () => Promise<T>): Promise<T> {
  const { paths } = host;
  await makeFolders(paths.onDisk(paths.mountsDir), 0o700);
  await makeFolders(paths.onDisk(paths.lockDir), 0o700);
  const lock = tryLock(join(paths.onDisk(paths.lockDir), '.mounts.lock'), 'exclusive');
  if (lock === undefined) {
    throw new OperationalError('BUSY', 'another berth is mounting or unmounting at present', {
      hint: 'wait for it to end, then run the command again',
    });
  }
  try {
    removeUnused(host);
    return await body();
  } finally {
    lock.release();
  }
}

/**
 * Removes the checkouts that are mounted nowhere: of a mount that ended with the machine or by umount(8), or whose maker was
 * killed. Call within {@link withMountsLock}.
 */
export function removeUnused(host: Host): void {
  const folder = host.paths.onDisk(host.paths.mountsDir);
  const mounted = new Set([...mountedCheckouts('self'), ...mountedCheckouts(1)]);
  for (const id of readdirSync(folder)) if (!mounted.has(id)) removePath(join(folder, id));
}

/** The checkouts that a process sees mounted. Their names are random: those of another state directory do no harm. */
function mountedCheckouts(pid: number | 'self'): readonly string[] {
  try {
    return readMountTable(pid).flatMap(
      ({ root }) => /\/\.mounts\/([0-9a-f]{32})\/rootfs$/.exec(root)?.[1] ?? [],
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ESRCH')) return [];
    throw error;
  }
}
