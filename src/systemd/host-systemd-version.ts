import { readdirSync } from 'node:fs';

import type { UnitTree } from './unit-tree.js';

/** systemd keeps a library with its version in the name here; on Debian below the architecture's own directory. */
const LIBRARY_DIRECTORIES = ['/usr/lib/systemd', '/usr/lib64/systemd', '/lib/systemd'];

/**
 * The major version of the systemd in a tree that is not running: from the name of `libsystemd-shared-252.so`, because
 * its programs may be of another architecture and must not be run. Undefined if it does not tell.
 */
export function findTreeVersion(tree: UnitTree): number | undefined {
  const architectures =
    tree.inDirectory('/usr/lib', (at) =>
      readdirSync(at).filter((name) => name.includes('-linux-')),
    ) ?? [];
  const directories = [
    ...LIBRARY_DIRECTORIES,
    ...architectures.map((name) => `/usr/lib/${name}/systemd`),
  ];
  for (const directory of directories) {
    const names = tree.inDirectory(directory, (at) => readdirSync(at)) ?? [];
    for (const name of names) {
      const version = /^libsystemd-(?:shared|core)-(\d{3,4})/.exec(name)?.[1];
      if (version !== undefined) return Number(version);
    }
  }
  return undefined;
}
