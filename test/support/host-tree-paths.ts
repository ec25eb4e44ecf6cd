import { mkdirSync } from 'node:fs';

import { resolveHostPaths, type HostPaths } from '../../src/config/host-paths.js';

/** Locations of a host that is only a folder, as `--root` has it, with the folders that every system has. */
export function pathsInFolder(root: string): HostPaths {
  for (const folder of [
    'etc/systemd/system',
    'etc/tmpfiles.d',
    'var/lib',
    'run',
    'usr/local/bin',
  ]) {
    mkdirSync(`${root}/${folder}`, { recursive: true });
  }
  return resolveHostPaths({ mode: 'system', root, env: {} });
}
