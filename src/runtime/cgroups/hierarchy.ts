import { readFileSync } from 'node:fs';

import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { parseMountTable } from '../../sys/mount-table.js';

/** Where this host has its control groups. */
export type CgroupHierarchy =
  | { readonly version: 2; readonly root: string }
  | {
      readonly version: 1;
      /** Mount points by controller (`memory`) or name (`name=systemd`); several may have the same. */
      readonly roots: ReadonlyMap<string, string>;
    };

/** Controllers of version 1 that a container gets a cgroup of. */
const CONTROLLERS_V1 = new Set([
  ...['blkio', 'cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'hugetlb', 'memory'],
  ...['net_cls', 'net_prio', 'perf_event', 'pids', 'rdma', 'name=systemd'],
]);

/**
 * Finds the hierarchies among the mounts. A host that has controllers mounted as version 1 is one of version 1, whatever
 * it has beside (systemd's hybrid layout).
 *
 * @throws {@link OperationalError} CGROUP_FAILED if there are none
 */
export function findCgroupHierarchy(
  mountInfo = readFileSync('/proc/self/mountinfo', 'utf8'),
): CgroupHierarchy {
  const roots = new Map<string, string>();
  let unified: string | undefined;
  for (const { place, type, options } of parseMountTable(mountInfo)) {
    if (type === 'cgroup2') unified ??= place;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) {
      if (CONTROLLERS_V1.has(option) && !roots.has(option)) roots.set(option, place);
    }
  }
  if ([...roots.keys()].some((name) => !name.startsWith('name='))) return { version: 1, roots };
  if (unified !== undefined) return { version: 2, root: unified };
  throw new OperationalError('CGROUP_FAILED', 'no control groups are mounted on this host');
}

/** The cgroups of a process: by controller, or `unified`. Undefined if it is gone. */
export function cgroupsOfProcess(pid: number | 'self'): ReadonlyMap<string, string> | undefined {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  const places = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, names = '', place = ''] = match;
    for (const name of names === '' ? ['unified'] : names.split(',')) places.set(name, place);
  }
  return places;
}

/**
 * A path inside a hierarchy, as a list of names. `..` would lead to other people's cgroups, and names of the kernel's own
 * files cannot be cgroups.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID
 */
export function checkCgroupPath(path: string): readonly string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const isBad = (name: string): boolean =>
    name === '..' || name.length > 255 || /[\n\0]/.test(name) || name.startsWith('cgroup.');
  if (names.length === 0 || names.length > 32 || names.some(isBad)) {
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `linux.cgroupsPath: ${quote(path)} is not a path of a cgroup`,
    );
  }
  return names;
}
