import type { RuntimeResources } from '../../oci/runtime-config.js';

/** The unit that a cgroup belongs to: systemd has to know of limits, or it would set its own again. */
export interface ScopeOwner {
  set(resources: RuntimeResources, signal?: AbortSignal): Promise<void>;
  /** Stops the unit; one that is gone is no failure. */
  stop(signal?: AbortSignal): Promise<void>;
}
