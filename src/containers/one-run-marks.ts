import { join } from 'node:path';

import { syncFolder } from '../base/atomic-file.js';
import { readdir, unlink } from '../base/quick-files.js';
import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';

const SUFFIX = '.run';

/** Where the mark of a container that is there for one run is: see {@link OneRun}. */
export function oneRunMark(paths: HostPaths, name: string): string {
  return join(paths.journalDir, `${name}${SUFFIX}`);
}

/** Names of the containers that are, or will be, there for one run, sorted: those whose run was killed among them. */
export async function listOneRuns(paths: HostPaths): Promise<readonly string[]> {
  try {
    return (await readdir(paths.onDisk(paths.journalDir)))
      .filter((entry) => entry.endsWith(SUFFIX))
      .map((entry) => entry.slice(0, -SUFFIX.length))
      .sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Takes the mark of a container away, if it has one: it goes with its container, whoever uninstalls that. */
export async function removeOneRunMark(paths: HostPaths, name: string): Promise<void> {
  try {
    await unlink(paths.onDisk(oneRunMark(paths, name)));
    await syncFolder(paths.onDisk(paths.journalDir));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** The service that runs the program of such a container. */
export function unitOfOneRun(name: string): string {
  return `berth-run-${name.replace('@', '')}.service`;
}

/** The plan that it runs. */
export function planOfOneRun(paths: HostPaths, name: string): string {
  return join(paths.runDir, `.${name}${SUFFIX}`);
}
