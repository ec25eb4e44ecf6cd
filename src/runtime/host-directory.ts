import type { RuntimeLinux } from '../oci/runtime-config.js';
import type { CompiledMounts } from './compile-mounts.js';
import type { CompiledNamespaces } from './compile-namespaces.js';
import type { CompiledUser } from './compile-process.js';
import type { LaunchPlanOptions, MountPoint } from './launch-plan.js';
import type { Instruction } from './plan-format.js';

/** Where a container finds what its service manager gives it; systemd's container interface has the same place. */
export const HOST_DIRECTORY = '/run/host';

/** Where its credentials are, unless it sees the host's /run. */
export const CREDENTIALS_PATH = `${HOST_DIRECTORY}/credentials`;

const NOTIFY_RELAY = 1;
const NOTIFY_DIRECT = 2;
const CREDENTIALS = 4;
const PASS = 8;

/**
 * Compiles how notifications and credentials reach the process. With a pid namespace the notification socket is the
 * launcher's own, which passes on only what a container may say; without one systemd knows its processes by itself.
 */
export function compileHostDirectory(
  linux: RuntimeLinux,
  context: {
    readonly options: LaunchPlanOptions;
    readonly namespaces: CompiledNamespaces;
    readonly mounts: CompiledMounts;
    readonly user: CompiledUser;
    warn(warning: string): void;
  },
): {
  readonly instructions: readonly Instruction[];
  readonly mountPoints: readonly MountPoint[];
  readonly relay: boolean;
  /** Undefined where the process gets none, or those of the host as they lie there. */
  readonly credentialsPath: string | undefined;
} {
  const { options, namespaces, mounts, user } = context;
  const ownPids = namespaces.has('pid');
  const notify = options.notify === true && options.pidFile === undefined;
  // A user's launcher is in the namespace by then, and knows its ids.
  const inside = options.user !== undefined;
  const uid = inside ? user.uid : hostId(user.uid, linux.uidMappings, namespaces);
  const gid = inside ? user.gid : hostId(user.gid, linux.gidMappings, namespaces);
  const credentials = options.credentials !== false && uid !== undefined && gid !== undefined;
  if (options.notify === true && !notify) {
    context.warn(
      'a forking service says that it is ready by ending its first process, not by notifications',
    );
  }
  const relay = notify && ownPids;
  if (!notify && !credentials) {
    return { instructions: [], mountPoints: [], relay, credentialsPath: undefined };
  }
  if (mounts.sharesRun && !ownPids) {
    // The host's own paths are right there.
    return {
      instructions: [['HOST_DIRECTORY', HOST_DIRECTORY, PASS, 0, 0]],
      mountPoints: [],
      relay,
      credentialsPath: undefined,
    };
  }
  const flags =
    (notify ? (ownPids ? NOTIFY_RELAY : NOTIFY_DIRECT) : 0) | (credentials ? CREDENTIALS : 0);
  return {
    instructions: [['HOST_DIRECTORY', HOST_DIRECTORY, flags, uid ?? 0, gid ?? 0]],
    mountPoints: mounts.mountPoint(HOST_DIRECTORY, 'directory'),
    relay,
    credentialsPath: credentials ? CREDENTIALS_PATH : undefined,
  };
}

/** The id on the host of an id in the container; undefined if it is not mapped, or by a map that is not ours to know. */
function hostId(
  id: number,
  mappings: RuntimeLinux['uidMappings'],
  namespaces: CompiledNamespaces,
): number | undefined {
  if (!namespaces.has('user')) return id;
  const map = mappings.find(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  );
  return map === undefined ? undefined : map.hostID + (id - map.containerID);
}
