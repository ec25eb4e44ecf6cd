import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { readFileBounded } from '../base/bounded-read.js';
import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { MAX_DEPLOYMENT_BYTES, parseDeployment, type Deployment } from './deployment.js';

/*
 * The state directory as a list of containers.
 *
 *     /var/lib/berth/etcd -> etcd.1      the current deployment: a relative link, replaced by rename only
 *     /var/lib/berth/etcd.0, etcd.1      deployments, complete or absent
 *     /var/lib/berth/.store, .journal …  berth's own; names of containers never begin with a dot
 *
 * Reading takes no lock: whatever the link points to is complete.
 */

/** The current deployment of a container, or undefined if there is no container of that name. */
export async function findContainer(
  paths: HostPaths,
  name: string,
): Promise<Deployment | undefined> {
  let seen: string | undefined;
  for (let tries = 1; ; tries++) {
    const target = await readNameLink(paths, name);
    if (target === undefined) return undefined;
    try {
      return await loadDeployment(paths, target);
    } catch (error) {
      // The link may have been read just before a command took away what it led to. It was if the link leads elsewhere
      // now, or to a newer deployment of that number; else the next look finds the same damage.
      if ((target === seen && tries > 2) || tries === MAX_LOOKS) throw error;
      seen = target;
    }
  }
}

/** Looks at a container that changes all the time: each change takes a hundred times as long as a look. */
const MAX_LOOKS = 8;

/**
 * The current deployment of a container.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND with the nearest name as a hint
 */
export async function getContainer(paths: HostPaths, name: string): Promise<Deployment> {
  const deployment = await findContainer(paths, name);
  if (deployment !== undefined) return deployment;
  const near = suggestName(name, await listContainerNames(paths));
  throw new OperationalError(
    'CONTAINER_NOT_FOUND',
    `no container named ${quote(name)} is installed`,
    {
      hint: near === undefined ? "see 'berth list'" : `did you mean '${near}'?`,
    },
  );
}

/** Names of all installed containers, sorted. */
export async function listContainerNames(paths: HostPaths): Promise<readonly string[]> {
  try {
    const entries = await readdir(paths.onDisk(paths.stateDir), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw readingFailed(paths, error);
  }
}

/** Numbers of the deployments of a container that are on disk, ascending. */
export async function listDeploymentNumbers(
  paths: HostPaths,
  name: string,
): Promise<readonly number[]> {
  let entries: string[];
  try {
    entries = await readdir(paths.onDisk(paths.stateDir));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return entries
    .map((entry) => deploymentNumber(name, entry))
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/** The name (`NAME.N`) that the link of a container points to; undefined where there is none. */
export async function readNameLink(paths: HostPaths, name: string): Promise<string | undefined> {
  const link = join(paths.stateDir, name);
  let target: string;
  try {
    if (!(await lstat(paths.onDisk(link))).isSymbolicLink()) {
      // A folder in the place of the link was not made by berth: never followed, never removed.
      throw new OperationalError(
        'CONTAINER_STATE_INVALID',
        `${quote(link)} is not a link that berth made`,
        {
          hint: 'move it away',
        },
      );
    }
    target = await readlink(paths.onDisk(link));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error instanceof OperationalError ? error : readingFailed(paths, error);
  }
  if (deploymentNumber(name, target) === undefined) {
    throw new OperationalError(
      'CONTAINER_STATE_INVALID',
      `${quote(link)} points to ${quote(target)}, expected '${name}.' and a number`,
      { hint: 'remove the link, then install again' },
    );
  }
  return target;
}

/**
 * Reads the record of one deployment directory (`NAME.N`).
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is not complete
 */
export async function loadDeployment(paths: HostPaths, directory: string): Promise<Deployment> {
  const file = join(paths.stateDir, directory, 'deployment.json');
  try {
    const bytes = await readFileBounded(paths.onDisk(file), { maxBytes: MAX_DEPLOYMENT_BYTES });
    return parseDeployment(bytes, quote(file));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) {
      throw new OperationalError('CONTAINER_STATE_INVALID', `${quote(file)} is missing`, {
        cause: error,
      });
    }
    throw error instanceof OperationalError ? error : readingFailed(paths, error);
  }
}

function deploymentNumber(name: string, directory: string): number | undefined {
  const number = directory.startsWith(`${name}.`) ? directory.slice(name.length + 1) : '';
  return /^\d{1,9}$/.test(number) ? Number(number) : undefined;
}

function readingFailed(paths: HostPaths, cause: unknown): OperationalError {
  return isErrno(cause, 'EACCES')
    ? new OperationalError(
        'NEEDS_ROOT',
        `cannot read ${quote(paths.stateDir)}: permission denied`,
        {
          hint: 'run berth as root',
          cause,
        },
      )
    : new OperationalError('SYSTEM_CALL_FAILED', `cannot read ${quote(paths.stateDir)}`, { cause });
}
