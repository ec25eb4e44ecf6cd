import { OperationalError } from '../errors/operational-error.js';
import { removeCgroups } from '../runtime/cgroups/cgroup-files.js';
import { cgroupfsManager } from '../runtime/cgroups/cgroupfs-manager.js';
import type { Cgroup, CgroupManager, CgroupPlace } from '../runtime/cgroups/cgroup.js';
import { removeDefaultParents } from '../runtime/cgroups/make-directories.js';
import {
  openCgroup,
  systemdManager,
  type ScopeService,
} from '../runtime/cgroups/systemd-manager.js';

/** Who makes the control groups of new containers. */
export function chooseManager(options: { readonly systemdCgroup: boolean }): CgroupManager {
  return options.systemdCgroup
    ? systemdManager({ scopes: busScopes(), defaultSlice: 'system.slice' })
    : cgroupfsManager();
}

/** What a record says of a control group. */
interface RecordedCgroup {
  readonly cgroup: CgroupPlace;
  readonly hasCgroup: boolean;
}

/**
 * The control group of a container that is known.
 *
 * @throws {@link OperationalError} CONTAINER_NOT_RUNNING if it was not made yet
 */
export function cgroupOf({ cgroup, hasCgroup }: RecordedCgroup): Cgroup {
  if (hasCgroup) return openCgroup(cgroup, busScopes());
  throw new OperationalError('CONTAINER_NOT_RUNNING', 'the container has no control group yet');
}

/**
 * Takes away what there is of a control group that was only about to be made: empty directories. A scope of systemd went
 * with the container's process. What has processes is another container's, whatever place was asked for.
 */
export function removeUnfinishedCgroup({ cgroup }: RecordedCgroup): void {
  const directories = Object.values(cgroup.directories);
  for (const directory of new Set(directories)) removeCgroups([directory]);
  removeDefaultParents(directories);
}

/** Scopes over a connection that is made for each call: most commands need none, and none needs two. */
function busScopes(): ScopeService {
  const withScopes = async (body: (scopes: ScopeService) => Promise<void>): Promise<void> => {
    const { TransientScopes } = await import('../systemd/transient-scopes.js');
    await using scopes = await TransientScopes.connect({
      mode: 'system',
      environment: process.env,
    });
    await body(scopes);
  };
  return {
    start: (name, properties, signal) =>
      withScopes((scopes) => scopes.start(name, properties, signal)),
    setProperties: (name, properties, signal) =>
      withScopes((scopes) => scopes.setProperties(name, properties, signal)),
    stop: (name, signal) => withScopes((scopes) => scopes.stop(name, signal)),
  };
}
