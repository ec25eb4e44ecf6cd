import { readdirSync, statSync } from 'node:fs';

import type { HostPaths } from '../config/host-paths.js';
import { isErrno } from '../errors/is-errno.js';
import { readingFailed } from './deployment-records.js';

/*
 * What lies in the state directory: two entries for each container. It is read anew only where one came or went: an installation
 * asks for it eight times, and each look at those of a thousand containers takes a millisecond or two.
 */

/** Names of all installed containers, sorted. */
export function listContainerNamesNow(paths: HostPaths): readonly string[] {
  return entriesOf(paths, 'containers', () =>
    readdirSync(paths.onDisk(paths.stateDir), { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith('.'))
      .map((entry) => entry.name),
  );
}

/** Names of all that lies there, sorted. */
export function listStateNames(paths: HostPaths): readonly string[] {
  return entriesOf(paths, 'names', () => readdirSync(paths.onDisk(paths.stateDir)));
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

interface KnownEntries {
  readonly stamp: string;
  containers?: readonly string[];
  names?: readonly string[];
}

let last: KnownEntries | undefined;

/** Changes whenever something comes into the state directory or goes; undefined while that may be going on. */
export function stampOfState(paths: HostPaths): string | undefined {
  const folder = paths.onDisk(paths.stateDir);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined || Date.now() - stat.mtimeMs < CLOCK_STEP_MS) return undefined;
  return `${folder} ${stat.dev} ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

function entriesOf(
  paths: HostPaths,
  kind: 'containers' | 'names',
  read: () => string[],
): readonly string[] {
  const stamp = stampOfState(paths);
  if (stamp !== last?.stamp) last = stamp === undefined ? undefined : { stamp };
  const known = last?.[kind];
  if (known !== undefined) return known;
  try {
    const names = read().sort();
    if (last !== undefined) last[kind] = names;
    return names;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw readingFailed(paths, error);
  }
}
