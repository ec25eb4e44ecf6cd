import type { Cgroup, CgroupManager, CgroupPlace, CgroupPlan, CgroupRequest } from './cgroup.js';
import { removeCgroups } from './cgroup-files.js';
import { checkCgroupPath, findCgroupHierarchy, type CgroupHierarchy } from './hierarchy.js';
import { LegacyCgroup } from './legacy-cgroup.js';
import {
  cgroupDirectories,
  checkUnused,
  DEFAULT_PARENT,
  makeCgroupDirectories,
} from './make-directories.js';
import { UnifiedCgroup } from './unified-cgroup.js';

/**
 * A manager that writes below /sys/fs/cgroup itself. `linux.cgroupsPath` is a path from the top of the hierarchies,
 * with or without a slash before it; without one the place is `/berth/ID`.
 */
export function cgroupfsManager(
  hierarchy: () => CgroupHierarchy = findCgroupHierarchy,
): CgroupManager {
  return {
    plan: (request) => planIn(hierarchy(), request),
    create: (request) => createIn(hierarchy(), request),
  };
}

function namesOf({ path, id }: Pick<CgroupPlan, 'id' | 'path'>): readonly string[] {
  return checkCgroupPath(path === undefined || path === '' ? `${DEFAULT_PARENT}/${id}` : path);
}

function planIn(hierarchy: CgroupHierarchy, request: Pick<CgroupPlan, 'id' | 'path'>): CgroupPlace {
  const directories = cgroupDirectories(hierarchy, namesOf(request));
  return { manager: 'cgroupfs', version: hierarchy.version, directories };
}

async function createIn(hierarchy: CgroupHierarchy, request: CgroupRequest): Promise<Cgroup> {
  const { resources, signal } = request;
  const place = planIn(hierarchy, request);
  const { made } = makeCgroupDirectories(hierarchy, namesOf(request));
  try {
    checkUnused(place.directories);
    const cgroup = place.version === 2 ? new UnifiedCgroup(place) : new LegacyCgroup(place);
    await cgroup.set(resources, signal);
    if (request.withoutDeviceRules !== true) cgroup.setDevices(resources.devices);
    if (request.owner !== undefined && cgroup instanceof UnifiedCgroup)
      cgroup.giveTo(request.owner);
    cgroup.join(request.pid);
    return cgroup;
  } catch (error) {
    removeCgroups(made);
    throw error;
  }
}
