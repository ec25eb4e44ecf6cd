import { join } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { rename, symlink, unlink } from '../base/quick-files.js';
import { isErrno } from '../errors/is-errno.js';
import type { Host } from './host.js';
import { removePath } from './remove-path.js';

/** The commit point: the NAME link is made beside and renamed over the old one, if there is one. Durable when it returns. */
export async function pointNameTo(host: Host, name: string, directory: string): Promise<void> {
  const state = host.paths.onDisk(host.paths.stateDir);
  const beside = join(state, unfinishedLink(name));
  removePath(beside);
  await symlink(directory, beside);
  try {
    await rename(beside, join(state, name));
  } catch (error) {
    removePath(beside); // the change is taken back, and its journal with it: nobody would look for this any more
    throw error;
  }
  await syncFolder(state);
}

/** Removes the NAME link; from then on the container is not installed. */
export async function removeNameLink(host: Host, name: string): Promise<void> {
  const folder = host.paths.onDisk(host.paths.stateDir);
  try {
    await unlink(join(folder, name));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  await syncFolder(folder);
}

/** Removes a link that a killed command made beside and did not rename. */
export function removeUnfinishedLink(host: Host, name: string): void {
  removePath(join(host.paths.onDisk(host.paths.stateDir), unfinishedLink(name)));
}

function unfinishedLink(name: string): string {
  return `.link-${name}`;
}
