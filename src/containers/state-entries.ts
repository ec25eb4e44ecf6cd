import { readdirSync, statSync, type Dirent } from 'node:fs';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { readingFailed } from './deployment-records.js';

/*
 * What lies in the state directory: two entries for each container. It is read anew only where one came or went: an installation
 * asks for it eight times, and each look at those of a thousand containers takes a millisecond or two.
 */

/** Names of all installed containers, sorted. */
export function listContainerNamesNow(paths: HostPaths): readonly string[] {
  const known = readEntries(paths);
  return (known.containers ??= known.entries
    .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort());
}

/** Names of all that lies there, sorted. */
export function listStateNames(paths: HostPaths): readonly string[] {
  const known = readEntries(paths);
  return (known.names ??= known.entries.map(({ name }) => name).sort());
}

/** Those of {@link listStateNames} that begin like this. */
export function listStateNamesWith(paths: HostPaths, prefix: string): readonly string[] {
  const names = listStateNames(paths);
  let [from, end] = [0, names.length];
  while (from < end) {
    const middle = (from + end) >> 1;
    if ((names[middle] ?? '') < prefix) from = middle + 1;
    else end = middle;
  }
  while (names[end]?.startsWith(prefix) === true) end++;
  return names.slice(from, end);
}

/** The clock of file systems goes on in steps of ten milliseconds at most: what changes in the same one is not seen. */
const CLOCK_STEP_MS = 20;

/** What was read of it, and what was made of that since. */
interface KnownEntries {
  readonly entries: readonly Dirent[];
  containers?: readonly string[];
  names?: readonly string[];
}

let last: { readonly stamp: string; readonly known: KnownEntries } | undefined;

/** Changes whenever something comes into the state directory or goes; undefined while that may be going on. */
export function stampOfState(paths: HostPaths): string | undefined {
  const folder = paths.onDisk(paths.stateDir);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || Date.now() - stat.mtimeMs < CLOCK_STEP_MS) return undefined;
  return `${folder} ${stat.dev} ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

function readEntries(paths: HostPaths): KnownEntries {
  const stamp = stampOfState(paths);
  if (stamp !== undefined && stamp === last?.stamp) return last.known;
  try {
    const entries = readdirSync(paths.onDisk(paths.stateDir), { withFileTypes: true });
    const known = { entries };
    last = stamp === undefined ? undefined : { stamp, known };
    return known;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { entries: [] };
    throw readingFailed(paths, error);
  }
}
