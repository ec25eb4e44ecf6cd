import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { CgroupPlace } from './cgroup.js';
import { cgroupTree, processesOf, readValue, removeCgroups, writeValue } from './cgroup-files.js';
import type { CgroupHierarchy } from './hierarchy.js';

/** Where cgroups are made when the config.json names no place; it goes with the last of them. */
export const DEFAULT_PARENT = 'berth';

/** Tries against another container's end, which takes the default parent away. */
const MAX_TRIES = 16;

/** What {@link makeCgroupDirectories} made. */
export interface MadeDirectories {
  readonly directories: CgroupPlace['directories'];
  /** Those that were not there before, the deepest first: what is to go again on failure. */
  readonly made: readonly string[];
}

/** Where the directories of a cgroup are to be. */
export function cgroupDirectories(
  hierarchy: CgroupHierarchy,
  names: readonly string[],
): CgroupPlace['directories'] {
  if (hierarchy.version === 2) return { unified: join(hierarchy.root, ...names) };
  return Object.fromEntries(
    [...hierarchy.roots].map(([controller, root]) => [controller, join(root, ...names)]),
  );
}

/**
 * Makes the directories of a cgroup, with the controllers of version 2 handed down from above, and the processors and
 * nodes of version 1's cpuset.
 *
 * @throws {@link OperationalError} CGROUP_FAILED
 */
export function makeCgroupDirectories(
  hierarchy: CgroupHierarchy,
  names: readonly string[],
): MadeDirectories {
  const made: string[] = [];
  for (let tries = 1; ; tries++) {
    try {
      return makeAll(hierarchy, names, made);
    } catch (error) {
      removeCgroups(made.splice(0).reverse());
      if (isErrno(error, 'ENOENT') && tries < MAX_TRIES) continue;
      throw new OperationalError('CGROUP_FAILED', `cannot make the cgroup ${names.join('/')}`, {
        cause: error,
      });
    }
  }
}

function makeAll(
  hierarchy: CgroupHierarchy,
  names: readonly string[],
  made: string[],
): MadeDirectories {
  if (hierarchy.version === 2) makeUnified(hierarchy.root, names, made);
  else for (const root of new Set(hierarchy.roots.values())) makeLegacy(root, names, made);
  return { directories: cgroupDirectories(hierarchy, names), made: made.reverse() };
}

function makeUnified(root: string, names: readonly string[], made: string[]): void {
  let directory = root;
  for (const name of names) {
    enableControllers(directory);
    directory = join(directory, name);
    if (makeDirectory(directory)) made.push(directory);
  }
}

/**
 * Hands all controllers down. One that cannot be (because processes are in the parent, or a realtime one for cpu) is left
 * out: whether that matters is seen when a limit of it is to be set.
 */
function enableControllers(directory: string): void {
  const available = (readValue(directory, 'cgroup.controllers') ?? '').split(' ');
  const enabled = new Set((readValue(directory, 'cgroup.subtree_control') ?? '').split(' '));
  for (const controller of available) {
    if (controller === '' || enabled.has(controller)) continue;
    try {
      writeValue(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      if (!isErrno(error, 'EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT', 'EACCES', 'EPERM'))
        throw error;
    }
  }
}

function makeLegacy(root: string, names: readonly string[], made: string[]): void {
  let directory = root;
  for (const name of names) {
    const parent = directory;
    directory = join(directory, name);
    if (!makeDirectory(directory)) continue;
    made.push(directory);
    // A new cpuset is empty, and nothing could run in it.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const value = readValue(parent, file);
      if (value !== undefined && readValue(directory, file) === '') {
        writeValue(join(directory, file), value);
      }
    }
  }
}

function makeDirectory(directory: string): boolean {
  try {
    mkdirSync(directory, 0o755);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/**
 * Refuses a cgroup that others are in, or below, or that is frozen: what is done to one container would be done to
 * another, or to every service of a slice (config-linux.md, "Control groups").
 *
 * @throws {@link OperationalError} CGROUP_FAILED
 */
export function checkUnused(directories: CgroupPlace['directories']): void {
  for (const directory of new Set(Object.values(directories))) {
    if (cgroupTree(directory).some((place) => processesOf(place).length > 0)) {
      throw new OperationalError('CGROUP_FAILED', `the cgroup ${directory} has processes already`);
    }
    if (
      readValue(directory, 'cgroup.freeze') === '1' ||
      readValue(directory, 'freezer.state') === 'FROZEN'
    ) {
      throw new OperationalError('CGROUP_FAILED', `the cgroup ${directory} is frozen`);
    }
  }
}

/** Takes the default parents of cgroups away that were the last in there. */
export function removeDefaultParents(directories: readonly string[]): void {
  for (const parent of new Set(directories.map((directory) => dirname(directory)))) {
    if (basename(parent) === DEFAULT_PARENT) removeCgroups([parent]);
  }
}
