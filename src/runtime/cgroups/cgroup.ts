import type { RuntimeResources } from '../../oci/runtime-config.js';

/*
 * Control groups of containers, for the runtime's command line. Two managers make them: `cgroupfs` writes below
 * /sys/fs/cgroup itself, `systemd` asks for a transient scope that is delegated to the container. What came out is a
 * {@link Cgroup} in both cases, whose place is plain data for a state file: {@link openCgroup} opens it again in another
 * process. Version 2 hosts have one directory, version 1 hosts one for each hierarchy.
 *
 * A unit that berth installs has none of this: its cgroup is systemd's, its limits are the unit's settings.
 */

/** Who makes the cgroups. */
export type CgroupManagerName = 'systemd' | 'cgroupfs' | 'none';

/** Where the cgroup of a container is: plain data. */
export interface CgroupPlace {
  readonly manager: CgroupManagerName;
  readonly version: 1 | 2;
  /** Absolute directories: `unified` on version 2, else by controller (`memory`, `name=systemd`, …). */
  readonly directories: Readonly<Record<string, string>>;
  /** The unit of the systemd manager. */
  readonly scope?: string;
}

/** What is known of a container's cgroup before there is a process. */
export interface CgroupPlan {
  /** The container's id: part of the default place. */
  readonly id: string;
  /** `linux.cgroupsPath`; for the systemd manager `SLICE:PREFIX:NAME`. */
  readonly path: string | undefined;
  readonly resources: RuntimeResources;
}

/** What a container's cgroup is made for. */
export interface CgroupRequest extends CgroupPlan {
  /** The process that is to be in it; it must not have made its cgroup namespace yet. */
  readonly pid: number;
  /**
   * Whether the container's devices need no rules: only root of the host can attach a program, and in a user namespace no
   * device can be made.
   */
  readonly withoutDeviceRules?: boolean;
  /** The user of the host that the cgroup is handed to (config-linux.md, "Cgroup ownership"); version 2 only. */
  readonly owner?: number;
  readonly signal?: AbortSignal;
}

/** Makes cgroups. */
export interface CgroupManager {
  /**
   * Says where {@link CgroupManager.create} will make it: to be written down before anything is made, so that what a
   * killed runtime left can be taken away (with `delete` of the cgroup opened by it).
   *
   * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, CGROUP_FAILED; RUNTIME_UNSUPPORTED for limits where no
   * cgroup can be made
   */
  plan(request: CgroupPlan): CgroupPlace;
  /**
   * Makes the cgroup, sets its limits and its device rules, and puts the process in. What was made is taken away again
   * when anything of that fails.
   *
   * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED for a limit that this host does not
   * have, CGROUP_FAILED, and those of systemd
   */
  create(request: CgroupRequest): Promise<Cgroup>;
}

/** The cgroup of one container. */
export interface Cgroup {
  readonly place: CgroupPlace;
  /**
   * Puts one more process in. `beside` is one that is in there: where the container has made cgroups of its own below
   * (version 2 has no processes in the middle), the new one goes where that one is.
   */
  join(pid: number, beside?: number): void;
  /** Changes limits; those that are undefined stay, and device rules are not touched. */
  set(resources: RuntimeResources, signal?: AbortSignal): Promise<void>;
  /** Stops all processes, and returns when they stand. */
  freeze(signal?: AbortSignal): Promise<void>;
  /** Lets them go on. */
  thaw(signal?: AbortSignal): Promise<void>;
  isFrozen(): boolean;
  /** All processes, those of cgroups below included; empty when the cgroup is gone. */
  pids(): readonly number[];
  /** Sends a signal to all processes; SIGKILL misses none, even while they fork, and frozen ones too. */
  kill(signal: number): void;
  stats(): CgroupStats;
  /** Takes it away with all below, when its last process has ended; one that is gone already is no failure. */
  delete(signal?: AbortSignal): Promise<void>;
}

/** What a cgroup has used. Undefined where the controller is not there. */
export interface CgroupStats {
  readonly cpu:
    | {
        readonly usageNs: number;
        readonly userNs: number;
        readonly systemNs: number;
        readonly periods: number;
        readonly throttledPeriods: number;
        readonly throttledNs: number;
      }
    | undefined;
  readonly memory:
    | {
        readonly usageBytes: number;
        /** `Infinity`: no limit. */
        readonly limitBytes: number;
        readonly peakBytes: number | undefined;
        readonly swapBytes: number | undefined;
        readonly oomKills: number;
        /** The numbers of `memory.stat`. */
        readonly detail: Readonly<Record<string, number>>;
      }
    | undefined;
  readonly pids: { readonly current: number; readonly limit: number } | undefined;
  readonly io: readonly {
    readonly major: number;
    readonly minor: number;
    readonly readBytes: number;
    readonly writeBytes: number;
    readonly reads: number;
    readonly writes: number;
  }[];
  readonly hugetlb: readonly { readonly pageSize: string; readonly usageBytes: number }[];
}
