import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeCommand } from './runtime-command.js';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const STRICT = ['nosuid', 'noexec', 'nodev'];

/** What /proc and /sys tell or let change of the host itself. */
const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** A config.json that runs a shell, to begin with. */
const DOCUMENT = {
  ociVersion: '1.2.0',
  process: {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
    cwd: '/',
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'berth',
  mounts: [
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
      options: [...STRICT, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: STRICT },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...STRICT, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...STRICT, 'relatime', 'ro'],
    },
  ],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    maskedPaths: MASKED_PATHS,
    readonlyPaths: READONLY_PATHS,
  },
};

/** `spec`. */
export const spec: RuntimeCommand = {
  options: { bundle: 'value', rootless: 'flag' },
  aliases: { b: 'bundle' },
  run(context, args) {
    const path = join(resolve(context.cwd, args.value('bundle') ?? '.'), 'config.json');
    if (existsSync(path)) {
      throw new OperationalError('CONTAINER_EXISTS', `file ${quote(path)} exists. Remove it first`);
    }
    const document = args.has('rootless') ? rootless(process.getuid?.() ?? 0) : DOCUMENT;
    writeFileSync(path, `${JSON.stringify(document, undefined, '\t')}\n`, {
      mode: 0o666,
      flag: 'wx',
    });
    return 0;
  },
};

/** For a caller who is not root: he is root inside, the network is the host's, and there are no groups to set limits on. */
function rootless(id: number): object {
  return {
    ...DOCUMENT,
    linux: {
      ...DOCUMENT.linux,
      resources: undefined,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: id, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: process.getgid?.() ?? 0, size: 1 }],
    },
  };
}
