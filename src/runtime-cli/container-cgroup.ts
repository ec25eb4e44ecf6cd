import { cgroupfsManager } from '../runtime/cgroups/cgroupfs-manager.js';
import type { Cgroup, CgroupManager, CgroupPlace } from '../runtime/cgroups/cgroup.js';
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

/** The control group of a container that is known. */
export function cgroupOf(record: { readonly cgroup: CgroupPlace }): Cgroup {
  return openCgroup(record.cgroup, busScopes());
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
