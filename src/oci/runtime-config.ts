/** The hooks of runtime-spec config.md, in the order in which they come. */
export const HOOK_NAMES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
/** One of {@link HOOK_NAMES}. */
export type HookName = (typeof HOOK_NAMES)[number];

/**
 * A `config.json` (runtime-spec 1.2) as {@link parseRuntimeConfig} gives it: today's form, whatever draft it was written
 * for. What the document leaves out is undefined or an empty list; numbers have been checked for range.
 */
export interface RuntimeConfig {
  readonly ociVersion: string;
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly process: RuntimeProcess;
  readonly mounts: readonly RuntimeMount[];
  /** Names of the hooks that have entries: berth runs none. */
  readonly hooks: readonly string[];
  readonly linux: RuntimeLinux;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The five sets of capabilities(7). */
export const CAPABILITY_SETS = [
  'bounding',
  'effective',
  'permitted',
  'inheritable',
  'ambient',
] as const;
/** One of {@link CAPABILITY_SETS}. */
export type CapabilitySet = (typeof CAPABILITY_SETS)[number];

/** config.md, "process" and "posix-process". */
export interface RuntimeProcess {
  readonly terminal: boolean;
  readonly user: RuntimeUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** Undefined: the document says nothing of capabilities. */
  readonly capabilities: Readonly<Record<CapabilitySet, readonly string[]>> | undefined;
  readonly rlimits: readonly RuntimeLimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number | undefined;
  readonly apparmorProfile: string | undefined;
  readonly selinuxLabel: string | undefined;
  readonly ioPriority: { readonly class: string; readonly priority: number } | undefined;
  readonly scheduler: RuntimeScheduler | undefined;
  /** Lists of processors, as `0-3,7`, for what `exec` runs. */
  readonly execCPUAffinity: {
    readonly initial: string | undefined;
    readonly final: string | undefined;
  };
  /** In characters; 0 unless said. */
  readonly consoleSize: { readonly height: number; readonly width: number };
}

/** Who the process runs as. `username` is the draft's and Docker's form: `USER[:GROUP]`, numbers or names of the image. */
export interface RuntimeUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask: number | undefined;
  readonly additionalGids: readonly number[];
  readonly username: string | undefined;
}

/** One resource limit; `Infinity` stands for RLIM_INFINITY. */
export interface RuntimeLimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

/** config.md, "scheduler". */
export interface RuntimeScheduler {
  readonly policy: string;
  readonly nice: number | undefined;
  readonly priority: number | undefined;
  readonly flags: readonly string[];
  /** Nanoseconds, for SCHED_DEADLINE. */
  readonly runtime: number | undefined;
  readonly deadline: number | undefined;
  readonly period: number | undefined;
}

/** config.md, "mounts". */
export interface RuntimeMount {
  readonly destination: string;
  readonly type: string | undefined;
  readonly source: string | undefined;
  readonly options: readonly string[];
  /** Both empty, or both not. */
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/** One line of a uid or gid map. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** config-linux.md. */
export interface RuntimeLinux {
  readonly namespaces: readonly { readonly type: string; readonly path: string | undefined }[];
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
  readonly timeOffsets: Readonly<
    Record<string, { readonly secs: number; readonly nanosecs: number }>
  >;
  readonly devices: readonly RuntimeDevice[];
  readonly cgroupsPath: string | undefined;
  readonly resources: RuntimeResources;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly seccomp: SeccompProfile | undefined;
  readonly rootfsPropagation: string | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly mountLabel: string | undefined;
  readonly personality: { readonly domain: string; readonly flags: readonly string[] } | undefined;
  readonly memoryPolicy: RuntimeMemoryPolicy | undefined;
  readonly hasIntelRdt: boolean;
  /** Names of the host's network devices that are to be the container's. */
  readonly netDevices: readonly string[];
}

/** config-linux.md, "Memory policy" (1.3): how memory is taken from nodes. */
export interface RuntimeMemoryPolicy {
  readonly mode: string;
  /** A list as `0-3,7`. */
  readonly nodes: string | undefined;
  readonly flags: readonly string[];
}

/** A device node; `c` and `u` are the same. */
export interface RuntimeDevice {
  readonly type: 'c' | 'b' | 'p';
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number | undefined;
  readonly uid: number;
  readonly gid: number;
}

/** A rule of the device controller; undefined numbers mean all. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type: 'a' | 'b' | 'c';
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: string;
}

/** A limit on one block device. */
export interface BlockDeviceValue {
  readonly major: number;
  readonly minor: number;
  readonly value: number;
}

/** config-linux.md, "control-groups". Numbers are the document's; -1 means unlimited where the controllers say so. */
export interface RuntimeResources {
  readonly devices: readonly DeviceRule[];
  readonly memory: {
    readonly limit: number | undefined;
    readonly reservation: number | undefined;
    readonly swap: number | undefined;
    readonly kernel: number | undefined;
    readonly kernelTCP: number | undefined;
    readonly swappiness: number | undefined;
    readonly disableOOMKiller: boolean;
    readonly useHierarchy: boolean;
    readonly checkBeforeUpdate: boolean;
  };
  readonly cpu: {
    readonly shares: number | undefined;
    readonly quota: number | undefined;
    readonly period: number | undefined;
    readonly burst: number | undefined;
    readonly realtimeRuntime: number | undefined;
    readonly realtimePeriod: number | undefined;
    readonly idle: number | undefined;
    readonly cpus: string | undefined;
    readonly mems: string | undefined;
  };
  readonly pidsLimit: number | undefined;
  readonly blockIO: {
    readonly weight: number | undefined;
    readonly leafWeight: number | undefined;
    readonly weightDevice: readonly BlockDeviceValue[];
    readonly leafWeightDevice: readonly BlockDeviceValue[];
    readonly throttle: Readonly<Record<BlockThrottle, readonly BlockDeviceValue[]>>;
  };
  /** A limit of `Infinity` is none. */
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly network: {
    readonly classID: number | undefined;
    readonly priorities: readonly { readonly name: string; readonly priority: number }[];
  };
  readonly rdma: readonly {
    readonly device: string;
    readonly hcaHandles: number | undefined;
    readonly hcaObjects: number | undefined;
  }[];
  readonly unified: Readonly<Record<string, string>>;
}

/** The four limits of a block device. */
export const BLOCK_THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const;
/** One of {@link BLOCK_THROTTLES}. */
export type BlockThrottle = (typeof BLOCK_THROTTLES)[number];

/** config-linux.md, "seccomp". */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number | undefined;
  readonly architectures: readonly string[];
  readonly flags: readonly string[];
  readonly listenerPath: string | undefined;
  readonly listenerMetadata: string | undefined;
  readonly syscalls: readonly SeccompRule[];
}

/** What happens to some system calls. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet: number | undefined;
  readonly args: readonly SeccompArgument[];
}

/** A condition on one argument of a call. */
export interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: string;
}
