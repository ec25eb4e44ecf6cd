import type { Host } from './host.js';
import { covers } from './host-path-policy.js';
import { readDeployments } from './list-containers.js';

/** A test for whether a container other than `except` binds, or had made, a path of the host or something below it. */
export async function findUsedByOthers(
  host: Host,
  except: string,
): Promise<(path: string) => boolean> {
  const { deployments } = await readDeployments(host);
  const others = deployments.filter((deployment) => deployment.name !== except);
  const made = others.flatMap((deployment) => deployment.createdPaths);
  const mounted = others.flatMap((deployment) => deployment.hostMounts);
  return (path) =>
    made.some((other) => covers(path, other)) ||
    // Recorded as `SOURCE at DESTINATION`.
    mounted.some((mount) => mount.startsWith(`${path} at `) || mount.startsWith(`${path}/`));
}
