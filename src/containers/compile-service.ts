import { isTemplateName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { RuntimeConfig } from '../oci/runtime-config.js';
import { NAMESPACE_FLAGS } from '../runtime/compile-namespaces.js';
import type { LaunchPlanOptions, UnitDirective } from '../runtime/launch-plan.js';
import type { PreparedService, ServiceRuntime } from '../runtime/service-runtime.js';
import type { ImageTree } from '../store/image-store.js';
import { parseTmpfiles, type TmpfilesEntry } from '../systemd/tmpfiles-text.js';
import { getValue, type parseUnit } from '../systemd/unit-text.js';
import { VOLATILE_ROOT_ANNOTATION } from '../templates/default-config.js';
import type { Host } from './host.js';
import { covers } from './host-path-policy.js';
import { isAllOfTheHost } from './lent-folders.js';
import { readTextInTree } from './read-in-tree.js';

/** What the service may do, in a person's words. */
export interface ServiceSummary {
  readonly capabilities: readonly string[];
  readonly hostMounts: readonly string[];
  readonly namespaces: readonly string[];
  readonly sharedNamespaces: readonly string[];
  readonly devices: readonly string[];
  readonly user: string;
  /** Whether there is a filter of its system calls. */
  readonly filtered: boolean;
}

/** What {@link compileService} works from. */
export interface CompileServiceRequest {
  readonly name: string;
  /** The container's own unit. */
  readonly unit: ReturnType<typeof parseUnit>;
  readonly config: RuntimeConfig;
  readonly configStamp: LaunchPlanOptions['configStamp'] & object;
  /** Path of the root on the host. */
  readonly rootfs: string;
  /** Where the content of a sealed root is, as the host has it; undefined for a root that is a directory. */
  readonly objects: string | undefined;
  /** Where the accounts of the image are. */
  readonly tree: ImageTree;
  readonly runtime: ServiceRuntime;
  /** The forking form's pid file; undefined for the other form. */
  readonly pidFile: string | undefined;
  /** Its lines of tmpfiles.d(5): what they bring from the image has its links. */
  readonly tmpfiles: string;
}

/** A config.json that was compiled. */
export interface CompiledService {
  readonly launch: PreparedService;
  /** Berth's own settings beside the unit, but for those that come of other containers. */
  readonly directives: readonly UnitDirective[];
  readonly summary: ServiceSummary;
}

/**
 * Checks and compiles a config.json as the unit of its container needs it.
 *
 * @throws OperationalError RUNTIME_CONFIG_INVALID, RUNTIME_UNSUPPORTED, TMPFILES_INVALID, LIMIT_EXCEEDED, LIBRARY_MISSING
 */
export async function compileService(
  host: Host,
  request: CompileServiceRequest,
): Promise<CompiledService> {
  const { name, unit, config, configStamp, pidFile } = request;
  const systemdVersion = await (await host.openUnitManager()).findSystemdVersion();
  const lines = parseTmpfiles(request.tmpfiles);
  const stopSignal = getValue(unit, 'Service', 'KillSignal');
  const launch = request.runtime.prepare(config, {
    name,
    rootfs: request.rootfs,
    objects: request.objects,
    notify: usesNotify(unit),
    ...(await readAccounts(request.tree)),
    configStamp,
    lends: (folder) => !isAllOfTheHost(folder),
    brought: lines.filter(({ type }) => type === 'C').map(({ path }) => path),
    ...(isTemplateName(name) ? { instanceMarker: INSTANCE_MARKER } : {}),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(pidFile === undefined ? {} : { pidFile }),
    ...(config.annotations[VOLATILE_ROOT_ANNOTATION] === 'true' ? { volatileRoot: {} } : {}),
    ...(systemdVersion === undefined ? {} : { systemdVersion }),
  });
  assertNotOfLinks(launch.bindSources, lines);
  return {
    launch,
    directives: [
      ...nameInLog(unit, name),
      ...AFTER_RECOVERY,
      ...(host.paths.mode === 'user' ? USERS_TMPFILES : []),
      ...launch.directives,
    ],
    summary: { ...summarise(launch.summary), filtered: config.linux.seccomp !== undefined },
  };
}

/** What is bound is what config.json says, and not what a line of the image makes of that name. */
function assertNotOfLinks(
  sources: PreparedService['bindSources'],
  lines: readonly TmpfilesEntry[],
): void {
  for (const { path } of sources) {
    const link = lines.find((entry) => entry.type === 'L' && covers(entry.path, path));
    if (link === undefined) continue;
    throw new OperationalError(
      'RUNTIME_CONFIG_INVALID',
      `config.json binds ${quote(path)}, and tmpfiles line ${link.line} makes a link to ${quote(link.argument)} there`,
      { hint: 'it can bind that itself' },
    );
  }
}

/** The files of an image that name its users. */
export async function readAccounts(tree: ImageTree): Promise<{ passwd?: string; group?: string }> {
  const passwd = await readTextInTree(tree, '/etc/passwd');
  const group = await readTextInTree(tree, '/etc/group');
  return { ...(passwd === undefined ? {} : { passwd }), ...(group === undefined ? {} : { group }) };
}

/** What stands in the config.json of a template for the name of the instance: `$INSTANCE` in its template. */
export const INSTANCE_MARKER = '{instance}';

/** An interrupted change is finished or undone first; where that fails, what stands there is what starts. */
const AFTER_RECOVERY: readonly UnitDirective[] = [['Unit', 'After', 'berth-recover.service']];

/**
 * The system makes its folders at every boot; a user's manager only where something asks for it, and its run-time directory is
 * empty whenever the user was away.
 */
const USERS_TMPFILES: readonly UnitDirective[] = [
  ['Unit', 'Wants', 'systemd-tmpfiles-setup.service'],
];

/** Without a name of its own, what the program writes would stand in the journal under the launcher's. */
function nameInLog(document: ReturnType<typeof parseUnit>, name: string): readonly UnitDirective[] {
  return getValue(document, 'Service', 'SyslogIdentifier') === undefined
    ? [['Service', 'SyslogIdentifier', isTemplateName(name) ? `${name}%i` : name]]
    : [];
}

function usesNotify(document: ReturnType<typeof parseUnit>): boolean {
  const type = getValue(document, 'Service', 'Type');
  return (
    type === 'notify' ||
    type === 'notify-reload' ||
    getValue(document, 'Service', 'WatchdogSec') !== undefined
  );
}

function summarise(summary: PreparedService['summary']): Omit<ServiceSummary, 'filtered'> {
  const own = summary.namespaces.map(({ type, path }) =>
    path === undefined ? type : `${type} (${path})`,
  );
  const named = new Set<string>(summary.namespaces.map(({ type }) => type));
  return {
    capabilities: [...summary.capabilities].sort(),
    hostMounts: summary.hostMounts.map(
      ({ source, destination, readonly }) =>
        `${source} at ${destination}${readonly ? ', read-only' : ''}`,
    ),
    namespaces: own,
    sharedNamespaces: Object.keys(NAMESPACE_FLAGS).filter(
      (type) => !named.has(type) && type !== 'time',
    ),
    devices:
      summary.deviceRules === 'all'
        ? ['all devices']
        : [...summary.devices, ...summary.deviceRules],
    user: describeUser(summary.user),
  };
}

/** Groups beside the primary one are told where there are any: on the host they count as they do inside. */
function describeUser({ uid, gid, groups }: PreparedService['summary']['user']): string {
  const more = groups.filter((group) => group !== gid);
  return `uid ${uid}, gid ${gid}${more.length === 0 ? '' : `, groups ${more.join(' ')}`}`;
}
