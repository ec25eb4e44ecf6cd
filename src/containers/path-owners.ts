import { readAllDeployments } from './all-deployments.js';
import type { Host } from './host.js';
import { readDeployments } from './list-containers.js';

/** Which container owns which path of the host; those of `except` are left out. */
export async function ownersOfPaths(
  host: Host,
  except: string,
): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>();
  for (const deployment of (await readDeployments(host)).deployments) {
    if (deployment.name === except) continue;
    for (const path of deployment.filePaths) owners.set(path, deployment.name);
  }
  return owners;
}

/** The folders that came into being with containers other than `except`. */
export async function pathsMadeByOthers(host: Host, except: string): Promise<ReadonlySet<string>> {
  const { deployments } = await readDeployments(host);
  return new Set(
    deployments
      .filter((deployment) => deployment.name !== except)
      .flatMap((deployment) => deployment.createdPaths),
  );
}

/** The folders that came into being with any of the deployments of a container that are on disk. */
export async function pathsMadeByAll(host: Host, name: string): Promise<readonly string[]> {
  const { deployments } = await readAllDeployments(host, { of: name });
  return [...new Set(deployments.flatMap((deployment) => deployment.createdPaths))].sort();
}
