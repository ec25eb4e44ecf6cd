import { lstatSync } from 'node:fs';
import { join } from 'node:path';

import { loadDeployment } from './container-directory.js';
import type { Deployment } from './deployment.js';
import { deploymentNumber } from './deployment-records.js';
import type { Host } from './host.js';
import { listStateNames, listStateNamesWith } from './state-entries.js';

/** All deployments on disk, and the directories whose record cannot be read. */
export interface AllDeployments {
  readonly deployments: readonly Deployment[];
  readonly damaged: readonly { readonly directory: string; readonly error: unknown }[];
}

/**
 * The records of all deployments on disk, the present one of each container and the others; with `of`, those of one container.
 * Takes no lock.
 */
export async function readAllDeployments(
  host: Host,
  options: { readonly of?: string } = {},
): Promise<AllDeployments> {
  const deployments: Deployment[] = [];
  const damaged: { directory: string; error: unknown }[] = [];
  for await (const found of eachDeployment(host, options)) {
    if ('error' in found) damaged.push(found);
    else deployments.push(found);
  }
  return { deployments, damaged };
}

/** The same one after the other: who has found what he looks for need not read them all. */
export async function* eachDeployment(
  host: Host,
  { of }: { readonly of?: string } = {},
): AsyncGenerator<Deployment | { readonly directory: string; readonly error: unknown }> {
  for (const directory of listDeploymentDirectories(host, of)) {
    const found = await loadIfThere(host, directory);
    if ('error' in found) yield { directory, error: found.error };
    else if (found.deployment !== undefined) yield found.deployment;
  }
}

/** Between two looks it may go (replaced or uninstalled meanwhile), and come back as another one of that number. */
async function loadIfThere(
  host: Host,
  directory: string,
): Promise<{ readonly deployment: Deployment | undefined } | { readonly error: unknown }> {
  for (let looks = 1; ; looks++) {
    try {
      return { deployment: await loadDeployment(host.paths, directory) };
    } catch (error) {
      if (!isFolder(host, directory)) return { deployment: undefined };
      if (looks === 3) return { error };
    }
  }
}

function isFolder(host: Host, directory: string): boolean {
  const path = host.paths.onDisk(join(host.paths.stateDir, directory));
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function listDeploymentDirectories(host: Host, of: string | undefined): readonly string[] {
  if (of !== undefined) {
    const names = listStateNamesWith(host.paths, `${of}.`);
    return names.filter((name) => deploymentNumber(of, name) !== undefined);
  }
  // No container has such a name.
  return listStateNames(host.paths).filter((name) => /^[^.].*\.\d{1,9}$/.test(name));
}
