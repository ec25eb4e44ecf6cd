import { readdir } from 'node:fs/promises';

import { isErrno } from '../errors/is-errno.js';
import { loadDeployment } from './container-directory.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';

/** All deployments on disk, and the directories whose record cannot be read. */
export interface AllDeployments {
  readonly deployments: readonly Deployment[];
  readonly damaged: readonly { readonly directory: string; readonly error: unknown }[];
}

/** The records of all deployments on disk, the present one of each container and the others. Takes no lock. */
export async function readAllDeployments(host: Host): Promise<AllDeployments> {
  const deployments: Deployment[] = [];
  const damaged: { directory: string; error: unknown }[] = [];
  for (const directory of await listDeploymentDirectories(host)) {
    try {
      deployments.push(await loadDeployment(host.paths, directory));
    } catch (error) {
      // Gone between the listing and now: replaced or uninstalled meanwhile.
      if ((await listDeploymentDirectories(host)).includes(directory))
        damaged.push({ directory, error });
    }
  }
  return { deployments, damaged };
}

async function listDeploymentDirectories(host: Host): Promise<readonly string[]> {
  try {
    const entries = await readdir(host.paths.onDisk(host.paths.stateDir), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && /^[^.].*\.\d{1,9}$/.test(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
