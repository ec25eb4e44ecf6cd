import { OperationalError } from '../../errors/operational-error.js';
import type { RuntimeResources } from '../../oci/runtime-config.js';
import type { Cgroup, CgroupManager, CgroupPlace, CgroupStats } from './cgroup.js';
import { controlFilesV1 } from './control-files-v1.js';
import { controlFilesV2 } from './control-files-v2.js';
import { findCgroupHierarchy } from './hierarchy.js';

/**
 * No cgroup: for callers who may make none, and for `--cgroup-manager disabled`. The container stays in the cgroup of
 * whoever started it. What would need one is refused by name; nothing that was asked for is left out.
 */
export class AbsentCgroup implements Cgroup {
  readonly place: CgroupPlace;

  constructor(place: CgroupPlace) {
    this.place = place;
  }

  join(): void {
    // A new process is where its caller is, as the container is.
  }

  set(resources: RuntimeResources): Promise<void> {
    refuseLimits(resources, { version: this.place.version, why: 'the container has no cgroup' });
    return Promise.resolve();
  }

  freeze(): Promise<void> {
    return Promise.reject(unsupported('it has no cgroup, so it cannot be paused'));
  }

  thaw(): Promise<void> {
    return Promise.reject(unsupported('it has no cgroup, so it cannot be resumed'));
  }

  isFrozen(): boolean {
    return false;
  }

  pids(): readonly number[] {
    throw unsupported('it has no cgroup, so its processes cannot be told from others');
  }

  /** The first process of a pid namespace is signalled by itself, and SIGKILL takes all others with it. */
  kill(signal: number): void {
    if (signal === SIGKILL) return;
    throw unsupported('it has no cgroup, so only SIGKILL reaches all of its processes');
  }

  stats(): CgroupStats {
    throw unsupported('it has no cgroup, so nobody counts what it uses');
  }

  delete(): Promise<void> {
    return Promise.resolve();
  }
}

const SIGKILL = 9;

/** A manager that makes none. `why` is said when limits are asked for. */
export function absentManager(why: string): CgroupManager {
  const place = (): CgroupPlace => ({ manager: 'none', version: versionHere(), directories: {} });
  return {
    plan: ({ resources }) => {
      refuseLimits(resources, { version: versionHere(), why });
      return place();
    },
    create: ({ resources }) => {
      refuseLimits(resources, { version: versionHere(), why });
      return Promise.resolve(new AbsentCgroup(place()));
    },
  };
}

/** Device rules are none: who cannot make a cgroup cannot make devices. */
function refuseLimits(
  resources: RuntimeResources,
  { version, why }: { readonly version: 1 | 2; readonly why: string },
): void {
  const files = version === 2 ? controlFilesV2(resources) : controlFilesV1(resources);
  const [first] = files;
  if (first === undefined) return;
  throw unsupported(`linux.resources.${first.member} cannot be kept: ${why}`);
}

function versionHere(): 1 | 2 {
  try {
    return findCgroupHierarchy().version;
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'CGROUP_FAILED') return 2;
    throw error;
  }
}

function unsupported(problem: string): OperationalError {
  return new OperationalError('RUNTIME_UNSUPPORTED', problem);
}
