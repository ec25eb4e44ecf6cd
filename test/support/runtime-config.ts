import { parseRuntimeConfig } from '../../src/oci/parse-runtime-config.js';
import type { RuntimeConfig } from '../../src/oci/runtime-config.js';

/** The mounts that every published system container had. */
export const USUAL_MOUNTS: readonly object[] = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] },
];

/** What a test changes of the usual document. */
export interface ConfigChanges {
  readonly process?: object;
  readonly linux?: object;
  readonly mounts?: readonly object[];
  readonly [key: string]: unknown;
}

/** A container without a pid namespace: its launcher becomes its program. */
export const NO_PID: ConfigChanges = { linux: { namespaces: [{ type: 'mount' }] } };

/** A config.json as a document: pid, ipc and mount namespaces, a read-only root, the usual mounts. */
export function runtimeConfigDocument(changes: ConfigChanges = {}): Record<string, unknown> {
  const { process, linux, mounts, ...rest } = changes;
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/true'],
      env: ['PATH=/bin'],
      cwd: '/',
      ...process,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [...USUAL_MOUNTS, ...(mounts ?? [])],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }],
      ...linux,
    },
    ...rest,
  };
}

/** The same, parsed. */
export function runtimeConfig(changes: ConfigChanges = {}): RuntimeConfig {
  return parseRuntimeConfig(JSON.stringify(runtimeConfigDocument(changes)));
}
