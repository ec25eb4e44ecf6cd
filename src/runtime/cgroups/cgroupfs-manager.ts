import type { Cgroup, CgroupManager, CgroupPlace, CgroupRequest } from './cgroup.js';
import { removeCgroups } from './cgroup-files.js';
import { checkCgroupPath, findCgroupHierarchy, type CgroupHierarchy } from './hierarchy.js';
import { LegacyCgroup } from './legacy-cgroup.js';
import { checkUnused, DEFAULT_PARENT, makeCgroupDirectories } from './make-directories.js';
import { UnifiedCgroup } from './unified-cgroup.js';

/**
 * A manager that writes below /sys/fs/cgroup itself. `linux.cgroupsPath` is a path from the top of the hierarchies,
 * with or without a slash before it; without one the place is `/berth/ID`.
 */
export function cgroupfsManager(
  hierarchy: () => CgroupHierarchy = findCgroupHierarchy,
): CgroupManager {
  return {
    create: (request) => createIn(hierarchy(), request),
  };
}

async function createIn(hierarchy: CgroupHierarchy, request: CgroupRequest): Promise<Cgroup> {
  const { path, id, resources, signal } = request;
  const names = checkCgroupPath(
    path === undefined || path === '' ? `${DEFAULT_PARENT}/${id}` : path,
  );
  const { directories, made } = makeCgroupDirectories(hierarchy, names);
  try {
    checkUnused(directories);
    const place: CgroupPlace = { manager: 'cgroupfs', version: hierarchy.version, directories };
    const cgroup = place.version === 2 ? new UnifiedCgroup(place) : new LegacyCgroup(place);
    await cgroup.set(resources, signal);
    cgroup.setDevices(resources.devices);
    if (request.owner !== undefined && cgroup instanceof UnifiedCgroup)
      cgroup.giveTo(request.owner);
    cgroup.join(request.pid);
    return cgroup;
  } catch (error) {
    removeCgroups(made);
    throw error;
  }
}
