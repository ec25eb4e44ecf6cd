import { readdirSync, statSync } from 'node:fs';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { readingFailed } from './deployment-records.js';

/** What lies in the state directory. */
interface StateEntries {
  /** Links that stand for containers, sorted. */
  readonly containers: readonly string[];
  /** Folders, sorted: berth's own and deployments. */
  readonly folders: readonly string[];
  /** All of it, in no order. */
  readonly names: readonly string[];
}

/** Names of all installed containers, sorted. */
export function listContainerNamesNow(paths: HostPaths): readonly string[] {
  return listStateEntries(paths).containers;
}

/** What lies in the state directory; read anew only where something of it came or went: an installation asks eight times. */
export function listStateEntries(paths: HostPaths): StateEntries {
  const stamp = stampOfState(paths);
  if (stamp !== undefined && stamp === last?.stamp) return last.entries;
  const entries = readEntries(paths);
  last = stamp === undefined ? undefined : { stamp, entries };
  return entries;
}

/** The clock of file systems goes on in steps of ten milliseconds at most: what changes in the same one is not seen. */
const CLOCK_STEP_MS = 20;

let last: { readonly stamp: string; readonly entries: StateEntries } | undefined;

/** Changes whenever something comes into the state directory or goes; undefined while that may be going on. */
export function stampOfState(paths: HostPaths): string | undefined {
  const folder = paths.onDisk(paths.stateDir);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || Date.now() - stat.mtimeMs < CLOCK_STEP_MS) return undefined;
  return `${folder} ${stat.dev} ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

function readEntries(paths: HostPaths): StateEntries {
  const containers: string[] = [];
  const folders: string[] = [];
  const names: string[] = [];
  try {
    for (const entry of readdirSync(paths.onDisk(paths.stateDir), { withFileTypes: true })) {
      const { name } = entry;
      names.push(name);
      if (entry.isDirectory()) folders.push(name);
      else if (entry.isSymbolicLink() && !name.startsWith('.')) containers.push(name);
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw readingFailed(paths, error);
  }
  return { containers: containers.sort(), folders: folders.sort(), names };
}
