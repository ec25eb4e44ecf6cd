import { HOOK_NAMES } from '../oci/runtime-config.js';
import { COMPARISONS } from '../sys/seccomp.js';
import { CAPABILITIES } from './capabilities.js';
import { NAMESPACE_FLAGS } from './compile-namespaces.js';
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from './compile-memory-policy.js';
import { SECCOMP_FLAGS } from './compile-seccomp.js';
import { MOUNT_OPTION_NAMES } from './mount-options.js';

/** What the features depend on beside this build; {@link readFeatureHost} looks at it. */
export interface FeatureHost {
  /** Types of namespaces that the kernel has. */
  readonly namespaces: readonly string[];
  /** The number of the last capability that the kernel knows. */
  readonly lastCapability: number;
  /** Undefined: there is no libseccomp, or a kernel without filters. */
  readonly seccomp:
    | {
        /** Words of the kernel (`kill_process`, `user_notif`, …). */
        readonly actions: readonly string[];
        readonly architectures: readonly string[];
        /** Flags that the kernel takes. */
        readonly flags: readonly string[];
      }
    | undefined;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** Whether mounts can have owners mapped (5.12). */
  readonly idmap: boolean;
}

/** The names of actions for the kernel's words (seccomp(2), /proc/sys/kernel/seccomp/actions_avail). */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  kill_process: ['SCMP_ACT_KILL_PROCESS'],
  kill_thread: ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD'],
  trap: ['SCMP_ACT_TRAP'],
  errno: ['SCMP_ACT_ERRNO'],
  user_notif: ['SCMP_ACT_NOTIFY'],
  trace: ['SCMP_ACT_TRACE'],
  log: ['SCMP_ACT_LOG'],
  allow: ['SCMP_ACT_ALLOW'],
};

/** Annotations of a config.json that change what the launcher does. */
const OWN_ANNOTATIONS = ['berth.init', 'berth.log-pipes'];

/** The features document (runtime-spec features.md and features-linux.md) of this build on a host. */
export function describeFeatures(host: FeatureHost): Readonly<Record<string, unknown>> {
  const { seccomp } = host;
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: '1.3.0',
    hooks: HOOK_NAMES,
    mountOptions: MOUNT_OPTION_NAMES,
    linux: {
      namespaces: Object.keys(NAMESPACE_FLAGS)
        .filter((type) => host.namespaces.includes(type))
        .sort(),
      capabilities: CAPABILITIES.slice(0, host.lastCapability + 1),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: seccomp !== undefined,
        ...(seccomp === undefined
          ? {}
          : {
              actions: seccomp.actions.flatMap((word) => ACTIONS[word] ?? []).sort(),
              operators: COMPARISONS,
              archs: seccomp.architectures,
              knownFlags: SECCOMP_FLAGS,
              supportedFlags: SECCOMP_FLAGS.filter((flag) => seccomp.flags.includes(flag)),
            }),
      },
      apparmor: { enabled: host.apparmor },
      selinux: { enabled: host.selinux },
      memoryPolicy: { modes: MEMORY_POLICY_MODES, flags: MEMORY_POLICY_FLAGS },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: host.idmap } },
      netDevices: { enabled: false },
    },
    annotations: {},
    potentiallyUnsafeConfigAnnotations: OWN_ANNOTATIONS,
  };
}
