import { dirname, join } from 'node:path/posix';

import { quote } from '../base/escape-text.js';
import { realpath } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';

/**
 * Checks that a place lies inside the tree of `--root` with its links followed. To this process an absolute link of the
 * tree (`/var/run -> /run`) leads onto the machine that builds the tree, which nothing of it may change.
 *
 * @throws {@link OperationalError} HOST_PATH_REFUSED
 */
export async function assertInsideTree(paths: HostPaths, path: string): Promise<void> {
  const real = await findOutside(paths, path);
  if (real === undefined) return;
  throw new OperationalError(
    'HOST_PATH_REFUSED',
    `${quote(path)} leads out of the tree of '--root', to ${quote(real)}`,
    { hint: 'make the links on its way relative' },
  );
}

/** Where a place is that lies outside the tree; undefined for one inside it, and without a tree. */
export async function findOutside(paths: HostPaths, path: string): Promise<string | undefined> {
  if (paths.root === '') return undefined;
  const root = await realpath(paths.root);
  const real = await realpathOfNearest(join(root, path));
  return real === root || real.startsWith(`${root}/`) ? undefined : real;
}

/** Of the path, or of what of it exists: the rest is made below that. */
async function realpathOfNearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    return realpathOfNearest(dirname(path));
  }
}
