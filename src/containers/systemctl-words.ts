import type { HostPaths } from '../config/host-paths.js';

/** How a person calls systemctl for the manager that berth works with: what hints say. */
export function systemctl({ mode }: Pick<HostPaths, 'mode'>): string {
  return mode === 'user' ? 'systemctl --user' : 'systemctl';
}
