import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Deployment } from './deployment.js';
import {
  deploymentNumber,
  readContainer,
  readNameLinkNow,
  readRecord,
} from './deployment-records.js';
import { listContainerNamesNow, listStateNamesWith } from './state-entries.js';

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
export function findContainer(paths: HostPaths, name: string): Promise<Deployment | undefined> {
  return soon(() => readContainer(paths, name));
}

/**
 * The current deployment of a container.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_FOUND with the nearest name as a hint
 */
export async function getContainer(paths: HostPaths, name: string): Promise<Deployment> {
  const deployment = await findContainer(paths, name);
  if (deployment !== undefined) return deployment;
  const near = await nearestContainer(paths, name);
  throw new OperationalError(
    'CONTAINER_NOT_FOUND',
    `no container named ${quote(name)} is installed`,
    {
      hint: near === undefined ? "see 'berth list'" : `did you mean '${near}'?`,
    },
  );
}

/** The container whose name is nearest to one that none has: a misspelt one, or what systemd calls its units. */
export async function nearestContainer(
  paths: HostPaths,
  name: string,
): Promise<string | undefined> {
  const bare = name.replace(/\.(?:service|socket|timer|path)$/, '');
  return suggestName(bare, await listContainerNames(paths));
}

/** Names of all installed containers, sorted. */
export function listContainerNames(paths: HostPaths): Promise<readonly string[]> {
  return soon(() => listContainerNamesNow(paths));
}

/** Numbers of the deployments of a container that are on disk, ascending. */
export function listDeploymentNumbers(paths: HostPaths, name: string): Promise<readonly number[]> {
  return soon(() =>
    listStateNamesWith(paths, `${name}.`)
      .map((entry) => deploymentNumber(name, entry))
      .filter((number) => number !== undefined)
      .sort((a, b) => a - b),
  );
}

/** The name (`NAME.N`) that the link of a container points to; undefined where there is none. */
export function readNameLink(paths: HostPaths, name: string): Promise<string | undefined> {
  return soon(() => readNameLinkNow(paths, name));
}

/**
 * Reads the record of one deployment directory (`NAME.N`).
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is not complete
 */
export function loadDeployment(paths: HostPaths, directory: string): Promise<Deployment> {
  return soon(() => readRecord(paths, directory));
}

/** What `read` gives or throws, as a promise. */
function soon<T>(read: () => T): Promise<T> {
  return Promise.resolve().then(read);
}
