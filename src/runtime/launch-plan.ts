import type { LinuxNamespace } from './compile-namespaces.js';
import type { LaunchConfinement } from './confined-caller.js';
import type { ServiceUser } from './service-user.js';

/** What the compiler has to know beside the config.json. */
export interface LaunchPlanOptions {
  /** Name of the container; instances are `NAME@INSTANCE`. */
  readonly name: string;
  /** The root as its path is on the host at run time: `/var/lib/berth/NAME/rootfs`. */
  readonly rootfs: string;
  /** Where the content of a sealed root is, for RequiresMountsFor=. */
  readonly objects?: string | undefined;
  /** The launcher's path, for RequiresMountsFor=. */
  readonly launcher?: string;
  /** Text in config.json that stands for the instance name; given for `NAME@.service` only. */
  readonly instanceMarker?: string;
  /** Whether the unit waits for or takes notifications (Type=notify, notify-reload, WatchdogSec=). */
  readonly notify?: boolean;
  /** Whether credentials of the unit reach the process; true unless given. */
  readonly credentials?: boolean;
  /** The forking form: the launcher writes this pid file and ends once the program runs. */
  readonly pidFile?: string;
  /** Puts a reaping stub in as PID 1; the annotation `berth.init=true` does the same. */
  readonly init?: boolean;
  /** The signal that stops the program: `SIGQUIT`, `QUIT`, `RTMIN+3` or a number; SIGTERM unless given. */
  readonly stopSignal?: string;
  /** The image's /etc/passwd, for users by name and for HOME; its size is limited by the caller. */
  readonly passwd?: string;
  /** The image's /etc/group. */
  readonly group?: string;
  /** The config.json that the plan is made from: the launcher warns when it no longer is that. */
  readonly configStamp?: {
    readonly path: string;
    readonly sizeBytes: number;
    readonly mtimeNs: bigint;
  };
  /** Lays a volatile overlay over the root, of at most this many bytes (half the memory unless given). */
  readonly volatileRoot?: { readonly sizeBytes?: number };
  /** Whether `root.readonly: false` is taken: never for a checkout, whose files are shared. */
  readonly allowWritableRoot?: boolean;
  /** Bind sources that need not exist; {@link OPTIONAL_BIND_SOURCES} unless given. */
  readonly optionalBindSources?: readonly string[];
  /**
   * Whether a link in a folder that is bound to be written in would lead its container further than the folder does: what is bound
   * from below it, or from the root, is then reached without links. Unless given, links are followed everywhere.
   */
  readonly lends?: (folder: string) => boolean;
  /** Paths of the host that have their content, links among it, from the image. */
  readonly brought?: readonly string[];
  /**
   * Whether no unit stands around the container: the runtime's command line sets limits on its cgroup itself, runs its
   * hooks and gives it a terminal. Then what a unit would do for the process is in the plan, and what a published image
   * may ask of a host that lacks it (labels) is refused.
   */
  readonly standalone?: boolean;
  /**
   * A directory of the host that a container without a mount namespace has its root on: its mounts are the host's then, all
   * of them below that one, and whoever gives it takes them away. Unless given, such a container is refused.
   */
  readonly hostPlace?: string;
  /** Who starts it, if that is not root of the host. */
  readonly confined?: LaunchConfinement;
  /** The user whose own service manager runs it: the config.json is taken as he can have it. */
  readonly user?: ServiceUser;
  /** The control groups of the host that it will run on: version 2 unless given. */
  readonly cgroupVersion?: 1 | 2;
  /** The architecture of the machine that will run it, in Go's words: this one's unless given. */
  readonly architecture?: string | undefined;
  /** The systemd that will run it, for settings that older ones do not know. */
  readonly systemdVersion?: number;
}

/** What a host may lack, and a container can do without. */
export const OPTIONAL_BIND_SOURCES: readonly string[] = [
  '/etc/resolv.conf',
  '/etc/hosts',
  '/etc/hostname',
];

/** A setting for the drop-in beside the image's unit. */
export type UnitDirective = readonly [section: 'Unit' | 'Service', key: string, value: string];

/** What {@link compileLaunchPlan} gives. */
export interface CompiledLaunch {
  /** The content of `launch.plan`. */
  readonly plan: Buffer;
  /** The content of `NAME.service.d/10-berth.conf`, in order. */
  readonly directives: readonly UnitDirective[];
  /** What is not done as the config.json says, and why; for people. */
  readonly warnings: readonly string[];
  /** Host paths that are bound in; those that are not optional must exist at start. */
  readonly bindSources: readonly BindSource[];
  /** What must exist in the root, because nothing can be made there at launch. */
  readonly mountPoints: readonly MountPoint[];
  readonly summary: LaunchSummary;
}

/** A host path that is bound into the container. */
export interface BindSource {
  readonly path: string;
  readonly optional: boolean;
  readonly readonly: boolean;
}

/** A place of the root that something is mounted on. */
export interface MountPoint {
  /** Absolute, normalised, not resolved: links in the image count. */
  readonly path: string;
  /** What must stand there: `like-source` is a directory where `source` is one, else a file. */
  readonly kind: 'directory' | 'file' | 'like-source';
  readonly source?: string;
}

/** What the plan gives the container, as data for `--plan`. */
export interface LaunchSummary {
  readonly args: readonly string[];
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** The bounding set, by name. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Namespaces of its own, or joined by path; what is not listed is the host's. */
  readonly namespaces: readonly { readonly type: LinuxNamespace; readonly path?: string }[];
  readonly hostMounts: readonly {
    readonly source: string;
    readonly destination: string;
    readonly readonly: boolean;
  }[];
  readonly root: 'read-only' | 'writable' | 'volatile';
  readonly devices: readonly string[];
  /** Device rules in words: `all`, or the entries of DeviceAllow=. */
  readonly deviceRules: 'all' | readonly string[];
  readonly seccomp: 'none' | { readonly defaultAction: string; readonly rules: number };
  readonly resources: readonly UnitDirective[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** Folder in which the process finds credentials of its unit; undefined where that is only known when it runs. */
  readonly credentialsPath: string | undefined;
}
