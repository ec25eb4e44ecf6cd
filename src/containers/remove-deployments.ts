import { join } from 'node:path';

import { rename } from '../base/quick-files.js';
import { deploymentNumber } from './deployment-records.js';
import type { Host } from './host.js';
import { removePath } from './remove-path.js';
import { listStateNamesWith } from './state-entries.js';

/**
 * Removes deployments of a name. Each is renamed out of the way first, so that a half removed one is never found under a
 * name that says it is complete. Call with the lock of the name held.
 */
export async function removeDeployments(
  host: Host,
  name: string,
  numbers: readonly number[],
): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  for (const number of numbers) {
    const doomed = join(folder, `.trash-${name}.${number}`);
    removePath(doomed);
    await rename(join(folder, `${name}.${number}`), doomed);
  }
  removeLeftovers(host, name);
}

/** Removes what interrupted commands of this name left half made or half removed. Call with the lock of the name held. */
export function removeLeftovers(host: Host, name: string): void {
  const folder = host.paths.onDisk(host.paths.stateDir);
  for (const kind of ['.new-', '.trash-']) {
    for (const entry of listStateNamesWith(host.paths, `${kind}${name}.`)) {
      if (deploymentNumber(name, entry.slice(kind.length)) !== undefined)
        removePath(join(folder, entry));
    }
  }
}
