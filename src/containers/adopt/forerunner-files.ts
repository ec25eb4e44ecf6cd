import { constants } from 'node:fs';
import { join } from 'node:path/posix';

import { readFileBounded } from '../../base/bounded-read.js';
import { quote } from '../../base/escape-text.js';
import { open } from '../../base/quick-files.js';
import type { HostPaths } from '../../config/host-paths.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { withPinnedPath } from '../pinned-directory.js';

/** Where atomic 1.22 keeps system containers unless its configuration says otherwise. */
export const FORERUNNER_DIRECTORY = '/var/lib/containers/atomic';

/**
 * Reads a file that atomic wrote, no link followed on the way below the tree; undefined where there is none.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID where somebody else than root could have written it; LIMIT_EXCEEDED
 */
export async function readForerunnerFile(
  paths: HostPaths,
  path: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    return await withPinnedPath(paths.onDisk('/'), path.slice(1), async (pinned) => {
      const file = await open(
        pinned,
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      try {
        const status = await file.stat();
        if (status.uid !== (process.geteuid?.() ?? 0) || (status.mode & 0o002) !== 0) {
          throw new OperationalError(
            'CONTAINER_STATE_INVALID',
            `${quote(path)} can be written by others than root, refusing to believe it`,
          );
        }
        return await readFileBounded(`/proc/self/fd/${file.fd}`, { maxBytes });
      } finally {
        await file.close();
      }
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    if (!isErrno(error, 'ELOOP', 'ENOTDIR', 'ENXIO')) throw error;
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${quote(path)} is no file, or a link leads to it: atomic makes neither`,
      { cause: error },
    );
  }
}

/** Whether the path has the form of a deployment of that container in the forerunner's directory. */
export function isForerunnerDeployment(path: string, name: string): boolean {
  const prefix = join(FORERUNNER_DIRECTORY, `${name}.`);
  return path.startsWith(prefix) && /^\d{1,9}$/.test(path.slice(prefix.length));
}
