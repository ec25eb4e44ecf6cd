import { existsSync, readdirSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { join } from 'node:path';

import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { encodeByteString } from '../../layer/tree.js';
import { readMountTable } from '../../sys/mount-table.js';
import { unmount } from '../../sys/unmount.js';
import { readAllDeployments } from '../all-deployments.js';
import type { Host } from '../host.js';
import { assertForSystem } from '../preflight.js';
import { deploymentRoot, removeUnused, withMountsLock } from './mounted-roots.js';

/**
 * Takes what {@link mountRoot} mounted on a directory away again, with the checkout that was made for it. What somebody else
 * mounted there is left alone. Gives the directory, links in its path resolved.
 *
 * @throws {@link OperationalError} USAGE if nothing of berth's is mounted there; SYSTEM_CALL_FAILED while something uses it;
 * NEEDS_ROOT; BUSY while another berth mounts
 */
export async function unmountRoot(host: Host, directory: string): Promise<string> {
  assertForSystem(host, 'unmounting');
  const path = resolve(directory);
  if (!isMountPoint(path) || !(await isOwn(host, statSync(path, { bigint: true })))) {
    throw new OperationalError('USAGE', `berth mounted nothing on ${quote(path)}`, {
      hint: "findmnt(8) shows what is mounted; 'umount' takes away what others mounted",
    });
  }
  return withMountsLock(host, () => {
    try {
      unmount(path);
    } catch (error) {
      if (!isErrno(error, 'EBUSY')) throw error;
      throw new OperationalError(
        'SYSTEM_CALL_FAILED',
        `cannot unmount ${quote(path)}: it is in use`,
        {
          hint: `leave the directory and end what uses it ('fuser -vm' names it), then run the command again`,
          cause: error,
        },
      );
    }
    removeUnused(host);
    return Promise.resolve(path);
  });
}

function resolve(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw error;
    throw new OperationalError('USAGE', `there is no directory ${quote(directory)}`, {
      cause: error,
    });
  }
}

function isMountPoint(path: string): boolean {
  const place = encodeByteString(path);
  return readMountTable().some((mount) => mount.place === place);
}

/** Whether a directory is the root of a checkout made for a mount, or of a deployment. */
async function isOwn(host: Host, mounted: BigIntStats): Promise<boolean> {
  const { paths } = host;
  const folder = paths.onDisk(paths.mountsDir);
  const { deployments } = await readAllDeployments(host);
  const roots = [
    ...(existsSync(folder) ? readdirSync(folder) : []).map((id) => join(folder, id, 'rootfs')),
    ...deployments.map((deployment) => deploymentRoot(host, deployment)),
  ];
  return roots.some((root) => {
    const there = statSync(root, { bigint: true, throwIfNoEntry: false });
    return there?.dev === mounted.dev && there.ino === mounted.ino;
  });
}
