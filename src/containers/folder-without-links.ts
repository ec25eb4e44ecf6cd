import { closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path/posix';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { encodeByteString } from '../layer/tree.js';
import { openInRoot } from '../sys/open-in-root.js';

const O_PATH = 0o10000000;

/**
 * Opens the folder that a path of the host is in, for names in it; undefined where it cannot be reached without links: what a link
 * leads to is somebody else's. Whoever puts one on the way from then on leads nobody elsewhere. The caller closes it.
 */
export function openFolderWithoutLinks(paths: HostPaths, path: string): number | undefined {
  const root = openSync(paths.onDisk('/'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return openInRoot(root, encodeByteString(dirname(path)), {
      flags: O_PATH | constants.O_DIRECTORY,
      noSymlinks: true,
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  } finally {
    closeSync(root);
  }
}
