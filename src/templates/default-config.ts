import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import type { JsonObject } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import type { ImageConfig, ImageProcessDefaults } from '../oci/image-config.js';
import { parseImageUser } from '../oci/parse-user.js';
import { MASKED_PATHS, READ_ONLY_PATHS, SYSTEM_MOUNTS, USUAL_PATH } from '../oci/usual-config.js';
import { volumeDirectory } from './volume-directory.js';

/**
 * Says that the launch plan has to lay a volatile overlay over the read-only root: programs may write anywhere, and it is
 * gone at the stop. It stands in the config.json, so that compiling an edited one again knows it too.
 */
export const VOLATILE_ROOT_ANNOTATION = 'berth.volatile-root';
/** Asks the launch plan for pipes: images made for engines link their log files to /dev/stdout and /dev/stderr. */
const LOG_PIPES_ANNOTATION = 'berth.log-pipes';
/** image-spec v1.1 conversion.md. */
const STOP_SIGNAL_ANNOTATION = 'org.opencontainers.image.stopSignal';

/** What {@link buildDefaultConfig} needs. */
export interface DefaultConfigInput {
  readonly image: ImageConfig;
  readonly name: ContainerName;
  readonly stateDirectory: string;
  readonly cpuCount: number;
  readonly fallbackArgs?: readonly string[];
}

/** Docker's default set (moby, oci/caps/defaults.go): enough for an entry point that starts as root and becomes another. */
const DEFAULT_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
] as const;

/**
 * A `config.json` (runtime-spec 1.2) for an image that brings none: host network, its own process, ipc, host name, mount
 * and cgroup namespaces; a read-only root with a volatile overlay; each volume bound to a directory of its own; the host's
 * resolver files (which the plan's compiler takes as optional).
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID
 */
export function buildDefaultConfig(input: DefaultConfigInput): {
  readonly config: JsonObject;
  readonly warnings: readonly string[];
} {
  const { process } = input.image;
  const environment = readEnvironment(process);
  const config = {
    ociVersion: '1.2.0',
    process: {
      terminal: false,
      user: readUser(process.user),
      args: readArgs(input),
      env: environment.env,
      cwd: process.workingDir === '' ? '/' : process.workingDir,
      capabilities: chooseCapabilities(process),
      // An entry point that starts as root may hand over with su or sudo; one that does not has no way back to root.
      noNewPrivileges: !isRoot(process.user),
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [...SYSTEM_MOUNTS, ...hostFileMounts(), ...volumeMounts(input)],
    linux: {
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: [
        ...MASKED_PATHS,
        ...Array.from(
          { length: input.cpuCount },
          (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`,
        ),
      ],
      readonlyPaths: READ_ONLY_PATHS,
    },
    annotations: {
      [VOLATILE_ROOT_ANNOTATION]: 'true',
      [LOG_PIPES_ANNOTATION]: 'true',
      ...(process.stopSignal === undefined ? {} : { [STOP_SIGNAL_ANNOTATION]: process.stopSignal }),
    },
  };
  return { config, warnings: environment.warnings };
}

function readArgs(input: DefaultConfigInput): readonly string[] {
  const { entrypoint, cmd } = input.image.process;
  const args = [...entrypoint, ...cmd];
  if (args.length > 0) return args.map((arg) => refuseNul('an argument', arg));
  if (input.fallbackArgs !== undefined) return input.fallbackArgs;
  throw new OperationalError(
    'IMAGE_CONFIG_INVALID',
    'the image does not say what to run: it has no Entrypoint, no Cmd and no /exports',
  );
}

/** A variable without `=` would take its value from the environment of whoever starts it: there is none here. */
function readEnvironment(process: ImageProcessDefaults): {
  readonly env: readonly string[];
  readonly warnings: readonly string[];
} {
  const isAssignment = (entry: string): boolean => /^[^=]+=/.test(entry);
  const env = process.env.filter(isAssignment).map((entry) => refuseNul('a variable', entry));
  const hasPath = env.some((entry) => entry.startsWith('PATH='));
  return {
    env: hasPath ? env : [USUAL_PATH, ...env],
    warnings: process.env
      .filter((entry) => !isAssignment(entry))
      .map((entry) => `the image sets the variable ${quote(entry)} to nothing, ignoring it`),
  };
}

/** Numbers are numbers, whatever the image's passwd says of them; names are looked up in the image when the plan is made. */
function readUser(text: string): JsonObject {
  const { user, group } = parseImageUser(text);
  if (text === '') return { uid: 0, gid: 0 };
  if (user.kind === 'id' && group?.kind === 'id') return { uid: user.id, gid: group.id };
  return { uid: user.kind === 'id' ? user.id : 0, gid: 0, username: text };
}

function isRoot(user: string): boolean {
  return /^(?:|0|root)(?::.*)?$/.test(user);
}

/**
 * Who does not start as root gets no capability past the exec, except the one that its exposed ports below 1024 need:
 * in a network of its own Docker would let anybody bind those.
 */
function chooseCapabilities(process: ImageProcessDefaults): JsonObject {
  const needsLowPort =
    !isRoot(process.user) && process.exposedPorts.some((port) => Number.parseInt(port, 10) < 1024);
  const kept = needsLowPort ? ['CAP_NET_BIND_SERVICE'] : [];
  return {
    bounding: DEFAULT_CAPABILITIES,
    effective: DEFAULT_CAPABILITIES,
    permitted: DEFAULT_CAPABILITIES,
    inheritable: kept,
    ambient: kept,
  };
}

function hostFileMounts(): readonly JsonObject[] {
  return ['/etc/resolv.conf', '/etc/hosts', '/etc/hostname'].map((path) => ({
    destination: path,
    type: 'bind',
    source: path,
    options: ['rbind', 'ro', 'nosuid', 'noexec', 'nodev'],
  }));
}

function volumeMounts(input: DefaultConfigInput): readonly JsonObject[] {
  return input.image.process.volumes.map((volume) => {
    if (
      !volume.startsWith('/') ||
      volume.split('/').includes('..') ||
      /[\u0000-\u001f\u007f]/.test(volume)
    ) {
      throw new OperationalError(
        'IMAGE_CONFIG_INVALID',
        `the image has the volume ${quote(volume)}, which is not a path`,
      );
    }
    return {
      destination: volume,
      type: 'bind',
      source: volumeDirectory(input.stateDirectory, input.name, volume),
      options: ['rbind', 'rw', 'nosuid', 'nodev'],
    };
  });
}

function refuseNul(what: string, text: string): string {
  if (!text.includes('\0')) return text;
  throw new OperationalError(
    'IMAGE_CONFIG_INVALID',
    `${what} of the image has a NUL character: ${quote(text)}`,
  );
}
