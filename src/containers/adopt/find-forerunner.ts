import { basename, dirname, join } from 'node:path/posix';

import { quote } from '../../base/escape-text.js';
import type { ContainerName } from '../../base/container-name.js';
import { lstat, readdir, readlink } from '../../base/quick-files.js';
import type { HostPaths } from '../../config/host-paths.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { withPinnedPath } from '../pinned-directory.js';
import { FORERUNNER_DIRECTORY, isForerunnerDeployment } from './forerunner-files.js';

/** Names of the containers that atomic installed, sorted; none where it never was. */
export async function listForerunnerNames(paths: HostPaths): Promise<readonly string[]> {
  try {
    const entries = await readdir(paths.onDisk(FORERUNNER_DIRECTORY), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/**
 * The deployment that atomic's link for a container points to: `/var/lib/containers/atomic/NAME.N`. Of the link, only the
 * last part counts: on an OSTree host it begins with `/ostree/deploy`, and nobody leads berth elsewhere by it.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND, CONTAINER_STATE_INVALID
 */
export async function findForerunner(paths: HostPaths, name: ContainerName): Promise<string> {
  const link = join(FORERUNNER_DIRECTORY, name);
  const directory = join(FORERUNNER_DIRECTORY, basename(await readForerunnerLink(paths, link)));
  if (!isForerunnerDeployment(directory, name)) {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${quote(link)} does not point to a deployment of ${quote(name)}`,
    );
  }
  if (await isOwnFolder(paths, directory)) return directory;
  throw new OperationalError(
    'CONTAINER_STATE_INVALID',
    `${quote(directory)} is not a folder of root's own`,
  );
}

async function readForerunnerLink(paths: HostPaths, link: string): Promise<string> {
  let target: string;
  try {
    target = await withPinnedPath(paths.onDisk('/'), link.slice(1), (path) => readlink(path));
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL', 'ELOOP')) throw error;
    throw new OperationalError(
      'CONTAINER_NOT_FOUND',
      `atomic has no container of that name in ${FORERUNNER_DIRECTORY}`,
      { hint: "'atomic containers list' shows what it has" },
    );
  }
  if (dirname(target) === '.' || dirname(target).endsWith(FORERUNNER_DIRECTORY)) return target;
  throw new OperationalError(
    'CONTAINER_STATE_INVALID',
    `${quote(link)} points to ${quote(target)}, which is not where atomic keeps containers`,
  );
}

async function isOwnFolder(paths: HostPaths, directory: string): Promise<boolean> {
  try {
    const status = await withPinnedPath(paths.onDisk('/'), directory.slice(1), (path) =>
      lstat(path),
    );
    return (
      status.isDirectory() &&
      status.uid === (process.geteuid?.() ?? 0) &&
      (status.mode & 0o002) === 0
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}
