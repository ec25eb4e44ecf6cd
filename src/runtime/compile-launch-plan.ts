import { posix } from 'node:path';

import { quote } from '../base/escape-text.js';
import { lookUp } from '../base/look-up.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { capabilityNames } from './capabilities.js';
import { takeUser } from './adapt-to-user.js';
import { compileDevices } from './compile-devices.js';
import { compileMounts, normaliseInRoot, type CompiledMounts } from './compile-mounts.js';
import { compileNamespaces, type CompiledNamespaces } from './compile-namespaces.js';
import {
  compileAttributes,
  compileCapabilities,
  compileIdentity,
  compileProgram,
  compileUser,
} from './compile-process.js';
import { compileSeccomp } from './compile-seccomp.js';
import { compileSysctl } from './compile-sysctl.js';
import { compileDeviceRules, type DeviceDirectives } from './device-directives.js';
import { compileHostDirectory } from './host-directory.js';
import type { CompiledLaunch, LaunchPlanOptions, UnitDirective } from './launch-plan.js';
import { PROPAGATION } from './mount-options.js';
import { encodePlan, type Instruction } from './plan-format.js';
import { compileResources, warnOfControllers } from './resource-directives.js';
import { compileOomScore, compileScheduling } from './scheduling-directives.js';
import { formatSignal, parseSignal } from './signals.js';

/** Flags of ROOT. */
export const PLAN_ROOT = { readOnly: 1, idmapped: 2, volatile: 4, slave: 8, locked: 16 } as const;
/** Flag of PIVOT: the root is entered by chroot(2). */
export const PIVOT_BY_CHROOT = 1;

/**
 * Compiles a config.json to a launch plan: every decision of a start is made here, so that at start none is left but to
 * do it. What cannot be done as asked is refused by name; what other runtimes ignore is ignored with a warning.
 *
 * @throws {@link OperationalError} RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED, LIMIT_EXCEEDED, LIBRARY_MISSING
 */
export function compileLaunchPlan(
  asked: RuntimeConfig,
  askedOptions: LaunchPlanOptions,
): CompiledLaunch {
  const warnings: string[] = [];
  const warn = (warning: string): void => void warnings.push(warning);
  checkDocument(asked, { options: askedOptions, warn });
  const user = compileUser(asked.process, askedOptions);
  const { config, options } = takeUser(asked, { options: askedOptions, user, warn });
  const { confined } = options;
  const namespaces = compileNamespaces(config.linux, options);
  const mounts = compileMounts(config, {
    namespaces,
    options,
    warn,
    mountLabel: config.linux.mountLabel,
  });
  const init = wantsInit(config, { options, namespaces, warn });
  const capabilities = compileCapabilities(config.process, { options, warn });
  const devices = mounts.ownDev
    ? compileDevices(config.linux.devices, {
        userNamespace: namespaces.has('user') || confined !== undefined,
        ...(options.user === undefined ? {} : { owner: user }),
      })
    : { instructions: [], paths: [] };
  const hostDirectory = compileHostDirectory(config.linux, {
    options,
    namespaces,
    mounts,
    user,
    warn,
  });
  const standalone = options.standalone === true;
  const seccomp = compileSeccomp(config.linux.seccomp, {
    standalone,
    warn,
    architecture: options.architecture,
  });
  const stopSignal = parseSignal(options.stopSignal ?? 'SIGTERM');
  const instructions: readonly Instruction[] = [
    ['NAME', options.name],
    ...stamp(options),
    ...(options.pidFile === undefined ? [] : [['PID_FILE', options.pidFile] as const]),
    ...namespaces.instructions,
    ...compileRoot(config, { options, namespaces }),
    ...mounts.instructions,
    ...devices.instructions,
    ...hostDirectory.instructions,
    ...mounts.sealing,
    ...config.linux.readonlyPaths.map((path): Instruction => [
      'READ_ONLY_PATH',
      normaliseInRoot(path, 'linux.readonlyPaths'),
    ]),
    ...config.linux.maskedPaths.map((path): Instruction => [
      'MASK',
      normaliseInRoot(path, 'linux.maskedPaths'),
    ]),
    compilePivot(config, namespaces),
    ...compileNames(config, { namespaces, warn }),
    ...compileSysctl(config.linux.sysctl, namespaces),
    ...compileStreams(config, { options, warn, namespaces, user }),
    ['KEYRING', `_ses.${options.name}`],
    ...compileAttributes(config, { standalone }),
    // Without no_new_privs only a process with CAP_SYS_ADMIN may load a filter, so it comes before that is dropped.
    ...(config.process.noNewPrivileges ? [] : seccomp.instructions),
    compileIdentity(user, {
      umask: config.process.user.umask,
      bounding: capabilities.bounding,
      keepGroups: confined?.keepGroups === true,
    }),
    ['CAPABILITIES', ...capabilities.sets, config.process.noNewPrivileges ? 1 : 0],
    ...(config.process.noNewPrivileges ? seccomp.instructions : []),
    ...compileProgram(config.process, { user, init }),
  ];
  const companions =
    (options.pidFile === undefined && namespaces.has('pid') ? 1 : 0) + (init ? 1 : 0);
  // A user's service manager has no rules for devices: there are those that are bound in, as the user himself may use them.
  const deviceRules: DeviceDirectives =
    standalone || options.user !== undefined
      ? { directives: [], rules: [] }
      : compileDeviceRules(config.linux.resources.devices);
  const resources = standalone
    ? []
    : [
        ...compileResources(config.linux.resources, { companions, warn }),
        ...compileScheduling(config.process),
        ...(options.user === undefined ? [] : compileOomScore(asked.process, warn)),
      ];
  if (options.user !== undefined) warnOfControllers(resources, options.user, warn);
  return {
    plan: encodePlan(instructions, options.instanceMarker),
    directives: [
      ...unitDirectives(mounts, options),
      ...serviceDirectives({ namespaces, mounts, options, stopSignal, relay: hostDirectory.relay }),
      ...resources,
      ...deviceRules.directives,
    ],
    warnings,
    bindSources: mounts.bindSources,
    mountPoints: [
      ...mounts.mountPoints,
      ...hostDirectory.mountPoints,
      ...mounts.mountPoint(normaliseInRoot(config.process.cwd, 'process.cwd'), 'directory'),
    ].filter(({ path }) => path !== '/'),
    summary: {
      args: config.process.args,
      user: {
        uid: user.uid,
        gid: user.gid,
        groups: options.user === undefined ? user.groups : [user.gid],
      },
      capabilities: capabilityNames(capabilities.bounding),
      noNewPrivileges: config.process.noNewPrivileges,
      namespaces: namespaces.list,
      hostMounts: mounts.hostMounts,
      root:
        options.volatileRoot !== undefined
          ? 'volatile'
          : config.root.readonly
            ? 'read-only'
            : 'writable',
      devices: devices.paths,
      deviceRules: deviceRules.rules,
      seccomp: seccomp.summary,
      resources,
      sysctl: config.linux.sysctl,
      credentialsPath: hostDirectory.credentialsPath,
    },
  };
}

interface Context {
  readonly options: LaunchPlanOptions;
  readonly warn: (warning: string) => void;
}

function checkDocument(config: RuntimeConfig, { options, warn }: Context): void {
  if (config.root.path !== 'rootfs' && posix.normalize(config.root.path) !== options.rootfs) {
    refuse(`root.path: refusing ${quote(config.root.path)}, the root is ${quote(options.rootfs)}`);
  }
  if (
    !config.root.readonly &&
    options.volatileRoot === undefined &&
    options.allowWritableRoot !== true &&
    options.standalone !== true
  ) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'root.readonly is false: refusing to let a container write to files that images share',
      { hint: 'Give it a directory of its own as root (--rootfs), or bind what it writes.' },
    );
  }
  if (config.linux.hasIntelRdt) unsupported('linux.intelRdt');
  if (config.linux.netDevices.length > 0) unsupported('linux.netDevices');
  if (options.standalone === true) return;
  if (config.hooks.length > 0) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      `hooks (${config.hooks.join(', ')}): refusing to run programs of an image as root on the host`,
    );
  }
  if (config.process.terminal) warn('process.terminal means nothing to a service, ignoring');
  if (config.linux.cgroupsPath !== undefined && config.linux.cgroupsPath !== '') {
    warn("linux.cgroupsPath: the unit's cgroup is the container's, ignoring");
  }
  if (options.instanceMarker !== undefined) checkSlots(config, options.instanceMarker);
}

/** An instance name has its place in args, env, mount sources and hostname; elsewhere the marker is a mistake. */
function checkSlots(config: RuntimeConfig, marker: string): void {
  const fixed = {
    ...config,
    hostname: '',
    mounts: config.mounts.map((mount) => ({ ...mount, source: '' })),
    process: { ...config.process, args: [], env: [] },
  };
  if (JSON.stringify(fixed).includes(JSON.stringify(marker).slice(1, -1))) {
    refuse('the instance name can stand in args, env, mount sources and hostname alone');
  }
}

function wantsInit(
  config: RuntimeConfig,
  context: Context & { readonly namespaces: CompiledNamespaces },
): boolean {
  if (context.options.init !== true && config.annotations['berth.init'] !== 'true') return false;
  if (!context.namespaces.isNew('pid')) {
    context.warn('berth.init: there is no new pid namespace that needs a PID 1, ignoring');
    return false;
  }
  if (context.options.pidFile !== undefined) {
    context.warn('berth.init: a forking service has no room for it, ignoring');
    return false;
  }
  return true;
}

/** Asks for pipes as standard output and error, for programs that open theirs by path; somebody has to empty them. */
const LOG_PIPES_ANNOTATION = 'berth.log-pipes';

function compileStreams(
  config: RuntimeConfig,
  context: Context & {
    readonly namespaces: CompiledNamespaces;
    readonly user: { readonly uid: number; readonly gid: number };
  },
): readonly Instruction[] {
  if (config.annotations[LOG_PIPES_ANNOTATION] !== 'true') return [];
  const { namespaces, options, user, warn } = context;
  const mapped = namespaces.has('user') && options.user === undefined;
  if (!namespaces.isNew('pid') || mapped || options.pidFile !== undefined) {
    warn(`${LOG_PIPES_ANNOTATION}: only for a container that the launcher stays beside, ignoring`);
    return [];
  }
  return [['STREAMS', user.uid, user.gid]];
}

function stamp(options: LaunchPlanOptions): readonly Instruction[] {
  const { configStamp } = options;
  if (configStamp === undefined) return [];
  return [['STAMP', configStamp.path, configStamp.sizeBytes, configStamp.mtimeNs]];
}

function compileRoot(
  config: RuntimeConfig,
  context: { readonly options: LaunchPlanOptions; readonly namespaces: CompiledNamespaces },
): readonly Instruction[] {
  const { volatileRoot, rootfs, standalone, hostPlace, confined } = context.options;
  // A checkout that services share is mapped; who calls a runtime has given the root its owners (config-linux.md, "User
  // namespace mappings").
  const shared = standalone !== true && context.options.user === undefined;
  const idmapped = context.namespaces.has('user') && shared ? PLAN_ROOT.idmapped : 0;
  const slave = /^r?slave$/.test(config.linux.rootfsPropagation ?? '') ? PLAN_ROOT.slave : 0;
  // What root of the host has forbidden for a mount (nosuid, noexec, ro) is not to be allowed again by anybody else.
  const locked = confined === undefined ? 0 : PLAN_ROOT.locked;
  if (volatileRoot === undefined) {
    const readonly = config.root.readonly ? PLAN_ROOT.readOnly : 0;
    return [
      ['ROOT', rootfs, readonly | idmapped | slave | locked],
      ...(context.namespaces.has('mount') ? [] : [['PLACE', hostPlace ?? ''] as const]),
    ];
  }
  const size = volatileRoot.sizeBytes === undefined ? '50%' : String(volatileRoot.sizeBytes);
  return [
    ['ROOT', rootfs, PLAN_ROOT.readOnly | PLAN_ROOT.volatile | idmapped | locked],
    ['VOLATILE_ROOT', size],
  ];
}

/** The propagation of the root itself; every mount below it has its own, private unless it says otherwise. */
function compilePivot(config: RuntimeConfig, namespaces: CompiledNamespaces): Instruction {
  // The host's own root cannot be put away.
  const how = namespaces.has('mount') ? 0 : PIVOT_BY_CHROOT;
  const wanted = config.linux.rootfsPropagation;
  if (wanted === undefined) return ['PIVOT', how];
  const flag = lookUp(PROPAGATION, wanted.replace(/^r/, ''));
  if (flag === undefined) refuse(`linux.rootfsPropagation: ${quote(wanted)} is not a propagation`);
  return ['PIVOT', flag | how];
}

/** The longest name that Linux takes (HOST_NAME_MAX). */
const MAX_HOST_NAME_BYTES = 64;

function compileNames(
  config: RuntimeConfig,
  context: { readonly namespaces: CompiledNamespaces; readonly warn: (warning: string) => void },
): readonly Instruction[] {
  const names: Instruction[] = [];
  for (const [key, op] of [
    ['hostname', 'HOST_NAME'],
    ['domainname', 'DOMAIN_NAME'],
  ] as const) {
    const value = config[key];
    if (value === undefined) continue;
    if (Buffer.byteLength(value) > MAX_HOST_NAME_BYTES) {
      refuse(`${key}: ${quote(value)} is longer than ${MAX_HOST_NAME_BYTES} bytes`);
    }
    if (context.namespaces.has('uts')) names.push([op, value]);
    else context.warn(`${key} is not set: there is no uts namespace, and the host keeps its name`);
  }
  if (context.namespaces.isNew('network')) names.push(['LOOPBACK']);
  return names;
}

function unitDirectives(
  mounts: CompiledMounts,
  options: LaunchPlanOptions,
): readonly UnitDirective[] {
  const needed = [
    posix.dirname(options.rootfs),
    ...(options.objects === undefined ? [] : [options.objects]),
    ...(options.launcher === undefined ? [] : [options.launcher]),
    ...mounts.bindSources.flatMap(({ path, optional }) => (optional ? [] : [path])),
  ];
  return [
    ...[...new Set(needed)].map((path): UnitDirective => [
      'Unit',
      'RequiresMountsFor',
      unitWord(path, options.instanceMarker),
    ]),
    ['Unit', 'After', 'systemd-tmpfiles-setup.service'],
  ];
}

/** The first systemd with DelegateSubgroup=. */
const DELEGATE_SUBGROUP_SINCE = 254;

function serviceDirectives(context: {
  readonly namespaces: CompiledNamespaces;
  readonly mounts: CompiledMounts;
  readonly options: LaunchPlanOptions;
  readonly stopSignal: number;
  readonly relay: boolean;
}): readonly UnitDirective[] {
  const { namespaces, mounts, options, stopSignal, relay } = context;
  const rows: UnitDirective[] = [];
  // The launcher passes signals on, and the program would else have each of them twice.
  if (namespaces.has('pid')) rows.push(['Service', 'KillMode', 'mixed']);
  if (options.stopSignal !== undefined)
    rows.push(['Service', 'KillSignal', formatSignal(stopSignal)]);
  if (namespaces.isNew('cgroup') || mounts.writableCgroup) {
    rows.push(['Service', 'Delegate', 'yes']);
    if ((options.systemdVersion ?? 0) >= DELEGATE_SUBGROUP_SINCE) {
      rows.push(['Service', 'DelegateSubgroup', 'payload']);
    }
  }
  if (relay) rows.push(['Service', 'NotifyAccess', 'main']);
  return rows;
}

/** A path as one word of a unit file: quoted, with its specifiers escaped; the slot becomes the unit's instance. */
function unitWord(path: string, instanceMarker: string | undefined): string {
  const parts = instanceMarker === undefined ? [path] : path.split(instanceMarker);
  const escaped = parts.map((part) => part.replaceAll('%', '%%')).join('%i');
  if (/[\n\r]/.test(escaped)) refuse(`refusing the path ${quote(path)}: it has a line break`);
  return /^[\w@%+,./:=-]+$/.test(escaped)
    ? escaped
    : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function refuse(problem: string): never {
  throw new OperationalError('RUNTIME_CONFIG_INVALID', problem);
}

function unsupported(what: string): never {
  throw new OperationalError('RUNTIME_UNSUPPORTED', `${what} is not supported`);
}
