import { existsSync, readFileSync } from 'node:fs';

import { isErrno } from '../errors/is-errno.js';
import { knownSeccompArchitectures, supportedSeccompFlags } from '../sys/seccomp-support.js';
import { SECCOMP_FLAGS } from './compile-seccomp.js';
import type { FeatureHost } from './describe-features.js';
import { NAMESPACE_FILES } from './own-namespaces.js';

/** Linux 5.12: mount_setattr(2) and mounts with mapped owners came together. */
const IDMAP_SINCE = [5, 12] as const;

/** Looks at what this host has of what {@link describeFeatures} tells. */
export function readFeatureHost(): FeatureHost {
  const actions = readWords('/proc/sys/kernel/seccomp/actions_avail');
  const architectures = knownSeccompArchitectures();
  return {
    namespaces: Object.entries(NAMESPACE_FILES).flatMap(([type, file]) =>
      existsSync(`/proc/self/ns/${file}`) ? [type] : [],
    ),
    lastCapability: Number(readWords('/proc/sys/kernel/cap_last_cap')[0] ?? '-1'),
    seccomp:
      actions.length === 0 || architectures.length === 0
        ? undefined
        : { actions, architectures, flags: supportedSeccompFlags(SECCOMP_FLAGS) },
    apparmor: readWords('/sys/module/apparmor/parameters/enabled')[0] === 'Y',
    selinux: existsSync('/sys/fs/selinux/enforce'),
    idmap: isAtLeast(IDMAP_SINCE),
  };
}

function isAtLeast([major, minor]: readonly [number, number]): boolean {
  const [has = 0, part = 0] = (readWords('/proc/sys/kernel/osrelease')[0] ?? '')
    .split(/[.-]/)
    .map(Number);
  return has > major || (has === major && part >= minor);
}

function readWords(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8')
      .split(/\s+/)
      .filter((word) => word !== '');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return [];
    throw error;
  }
}
