/*
 * What config.json files that nobody wrote have: those of images that bring none, and the one to begin with.
 */

/** Where programs are looked for. */
export const USUAL_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Moby's list as of 28 (oci/defaults.go): files of the kernel that tell about the host or change it. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** What of the kernel is to be seen and not changed. */
export const READ_ONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

const SAFE: readonly string[] = ['nosuid', 'noexec', 'nodev'];

/** The file systems that programs expect, in the order in which they are mounted. */
export const SYSTEM_MOUNTS = [
  mount('/proc', 'proc', SAFE),
  mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
  mount('/dev/pts', 'devpts', [
    ...['nosuid', 'noexec', 'newinstance'],
    ...['ptmxmode=0666', 'mode=0620', 'gid=5'],
  ]),
  mount('/dev/shm', 'tmpfs', [...SAFE, 'mode=1777', 'size=65536k']),
  mount('/dev/mqueue', 'mqueue', SAFE),
  mount('/sys', 'sysfs', [...SAFE, 'ro']),
  mount('/sys/fs/cgroup', 'cgroup', [...SAFE, 'relatime', 'ro']),
] as const;

interface UsualMount {
  readonly [member: string]: string | readonly string[];
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

function mount(destination: string, type: string, options: readonly string[]): UsualMount {
  return { destination, type, source: type, options };
}
