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
    for (const file of deployment.files) owners.set(file.path, deployment.name);
  }
  return owners;
}
