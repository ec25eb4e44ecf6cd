import { listDeploymentNumbers } from './container-directory.js';
import type { ContainerSettings } from './container-settings.js';
import type { Host } from './host.js';

/**
 * The numbers of a container's deployments on disk in the order in which each was last the present one, the latest last.
 * What nothing is known of counts as the oldest.
 */
export async function orderDeployments(
  host: Host,
  name: string,
  settings: ContainerSettings,
): Promise<readonly number[]> {
  const onDisk = await listDeploymentNumbers(host.paths, name);
  return [
    ...onDisk.filter((number) => !settings.order.includes(number)),
    ...settings.order.filter((number) => onDisk.includes(number)),
  ];
}
