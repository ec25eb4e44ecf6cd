import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import type { Host } from './host.js';
import { removePath } from './remove-path.js';

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
  await removeLeftovers(host, name);
}

/** Removes what interrupted commands of this name left half made or half removed. Call with the lock of the name held. */
export async function removeLeftovers(host: Host, name: string): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  for (const leftover of await listLeftovers(folder, name)) removePath(join(folder, leftover));
}

async function listLeftovers(folder: string, name: string): Promise<string[]> {
  const entries = await readdir(folder);
  return entries.filter((entry) => {
    const rest = /^\.(?:trash|new)-(.*)\.\d{1,9}$/.exec(entry)?.[1];
    return rest === name;
  });
}
