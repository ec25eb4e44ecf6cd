import { existsSync } from 'node:fs';

import type { HostPaths } from '../config/host-paths.js';
import { isKernelLabelling } from '../sys/security-label.js';

/** Where a host says which policy it has (selinux_config(5)). */
export const SELINUX_CONFIG = '/etc/selinux/config';

/** Whether there can be anything to label: asked by all commands, on hosts that know nothing of SELinux, too. */
export function mayHaveLabels(paths: HostPaths): boolean {
  if (paths.mode !== 'system') return false;
  return paths.root === '' ? isKernelLabelling() : existsSync(paths.onDisk(SELINUX_CONFIG));
}
